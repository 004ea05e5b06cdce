"""A finished run, and ways to run landscape-train in this process."""

import shutil

import pytest

from landscape import cli
from tests.commands import assert_one_line, run, status_of
from tests.landscape.command.words import FAST, USER_FILE


@pytest.fixture
def train(capsys):
    """Run the command in this process; returns (status, standard output, standard error)."""

    def train(*words):
        status = status_of(cli.main, *words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return train


@pytest.fixture
def refused(train):
    """Run the command, which has to exit with 2 and one line; returns the line."""

    def refused(*words):
        status, out, err = train(*words)
        assert (status, out) == (2, ""), err
        assert_one_line(err, "landscape-train")
        return err

    return refused


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The run of a real command that trained for two epochs, and what the command said."""
    folder = tmp_path_factory.mktemp("finished") / "some" / "run"
    return folder, run("landscape-train", *FAST, "--output-dir", folder)


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished run that a test may change."""
    return shutil.copytree(finished[0], tmp_path / "run")


@pytest.fixture
def user_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(USER_FILE)
    return path
