# make demo    train six small networks on real digits, measure them, write figures/demo/report.html
# make test    lint, types, tests
# make help    the rest
PYTHON ?= python3
BIN := .venv/bin
# One process a core with one thread each: half the time of one process with all threads.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test lint format types pytest clean

help:
	@echo "make demo    train, measure and draw six small networks: figures/demo/report.html"
	@echo "make test    ruff, mypy and pytest"
	@echo "make lint    ruff alone; make format applies it"
	@echo "make types   mypy alone"
	@echo "make pytest  the tests alone; make pytest ARGS='-k lanczos' some of them"
	@echo "make clean   remove .venv and the demo's runs and pictures"

.venv/pyvenv.cfg:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, found " + sys.version)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/pyvenv.cfg pyproject.toml constraints.txt
	@echo "installing (about a minute)"
	$(INSTALL) -e .
	touch $@

.venv/installed-dev: .venv/installed
	$(INSTALL) -e '.[dev]'
	touch $@

demo: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks.demo

test: lint types pytest

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .venv/installed-dev
	$(BIN)/mypy

pytest: .venv/installed-dev
	$(PYTEST) $(ARGS)

clean:
	rm -rf .venv checkpoints/demo figures/demo
