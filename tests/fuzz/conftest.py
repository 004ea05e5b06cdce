"""A small run of the command, which the tests damage."""

import shutil
from pathlib import Path

import pytest

from landscape.cli import main as train
from tests.commands import status_of
from tests.landscape.command.words import FAST
from tests.once import make_once


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Path:
    """A run directory with kept epochs, as landscape-train leaves it."""

    def make(folder: Path) -> None:
        words = ("--save-every", "1", "--ema", "0.9", "--output-dir", folder / "run", "--quiet")
        assert status_of(train, *FAST, *words) == 0

    return make_once(tmp_path_factory, "fuzzed", make) / "run"


@pytest.fixture
def run(finished_run, tmp_path) -> Path:
    """A copy of the run, which the test may damage."""
    return shutil.copytree(finished_run, tmp_path / "run")
