"""A report of two runs by a command of its own, made once however many processes test it."""

import json
import shutil
import subprocess

import pytest

from tests.analyses.command.words import (
    SMALL,
    USER_FILE,
)
from tests.once import make_once


@pytest.fixture(scope="session")
def report(warm, runs, tmp_path_factory):
    """All analyses of the two runs by a command, and what it said."""

    def make(folder):
        words = ("report", *runs, *SMALL["report"], "--format", "png", "--output-dir", folder)
        running = warm.start(*words)
        status = running.end()
        folder.with_name("report.json").write_text(json.dumps([status, running.out, running.err]))

    folder = make_once(tmp_path_factory, "report", make)
    status, out, err = json.loads(folder.with_name("report.json").read_text())
    return folder, subprocess.CompletedProcess("landscape-plot", status, out, err)


@pytest.fixture
def measured(report, tmp_path):
    """A copy of the report's folder that a test may change."""
    return shutil.copytree(report[0], tmp_path / "figures")


@pytest.fixture
def user_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(USER_FILE)
    return path
