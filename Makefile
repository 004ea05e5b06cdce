# make demo       draw the networks of the gallery; train, measure and draw a small pair: figures/demo
# make paper      the paper in miniature: five seeds, two to three hours
# make test       lint, types, tests
# make check      lint, types and the fast tests, for every few minutes
# make docs       the documentation site, in site/
# make help       the rest
PYTHON ?= python3
BIN := .venv/bin
# One process a core with one thread each: half the time of one process with all threads.
# What one has compiled is kept for the others, also where the shell says that nothing is to be kept.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
  -c constraints.txt
# pip would compile on one core, and everything: a third are the libraries' own tests and hundreds of
# models of which a few are used. Some packages hold files that are no Python of this version.
COMPILE := $(BIN)/python -W ignore -m compileall -qq -x '/tests?/|/transformers/models/|/torch/testing/'

FUZZ_CASES ?= 2000

.PHONY: help demo paper test test-full fuzz check lint format types pytest docs dist-check clean

help:
	@echo "make demo       draw the networks of the gallery; train, measure and draw a small pair"
	@echo "make paper      the paper in miniature: five seeds, two to three hours; goes on when killed"
	@echo "                make paper ARGS='--data-dir DIR' with CIFAR-10 elsewhere than in data/"
	@echo "make test       ruff, mypy and pytest"
	@echo "make test-full  the same with every example, kill and repeat of the tests"
	@echo "make fuzz       thousands of damaged files for every reader; FUZZ_CASES=N of each kind"
	@echo "make check      ruff, mypy and the fast tests: no commands, pictures, kills or slow examples"
	@echo "make lint       ruff alone; make format applies it"
	@echo "make types      mypy alone"
	@echo "make pytest     the tests alone; make pytest ARGS='-k lanczos' some of them"
	@echo "make docs       the documentation site, in site/; fails on a broken link"
	@echo "make dist-check build sdist and wheel, install the wheel beside .venv's libraries, and use it"
	@echo "make clean      remove .venv, site and the runs and pictures of demo and digits"

.venv/pyvenv.cfg:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, found " + sys.version)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/pyvenv.cfg pyproject.toml constraints.txt
	@echo "installing (about a minute)"
	$(INSTALL) -e .
	$(COMPILE) -j 0 .venv/lib || true
	touch $@

# pip takes one core. Meanwhile the other compiles the largest libraries, and the tests as pytest rewrites them,
# as far as they can be imported yet. Python compiles the rest when it is first imported. The second call of pip
# names the installed project, so that it is not built again.
.venv/installed-dev: .venv/pyvenv.cfg pyproject.toml constraints.txt
	@echo "installing (about a minute)"
	$(INSTALL) -e . pytest hypothesis
	{ $(COMPILE) $(addprefix .venv/lib/python*/site-packages/,torch sympy scipy matplotlib sklearn) \
	  landscape analyses benchmarks; \
	  PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --collect-only >/dev/null 2>&1; } & \
	  $(INSTALL) 'loss-landscape-toolkit[dev]'; status=$$?; wait; exit $$status
	touch .venv/installed $@

.venv/installed-docs: .venv/pyvenv.cfg pyproject.toml constraints.txt
	@echo "installing (about a minute)"
	$(INSTALL) -e '.[docs]'
	touch .venv/installed $@

demo: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks.demo

paper: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks.paper $(ARGS)

# mypy takes one core for as long as the tests need to start and end on the other.
test: lint
	$(MAKE) --no-print-directory --jobs=2 types pytest

test-full: lint types
	LANDSCAPE_FULL_TESTS=1 $(PYTEST) $(ARGS)

fuzz: .venv/installed-dev
	LANDSCAPE_FUZZ_CASES=$(FUZZ_CASES) $(PYTEST) tests/fuzz $(ARGS)

check: lint types
	$(PYTEST) -m 'not slow' $(ARGS)

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

dist-check: .venv/installed
	$(BIN)/python -m tests.dist_check

# The variable silences an advertisement of the theme's.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf .venv site checkpoints/demo figures/demo checkpoints/digits* figures/digits*
