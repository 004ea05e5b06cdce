"""The command in this process, and two small runs for it."""

import pytest

from analyses import cli
from landscape import cli as train_cli
from tests.commands import assert_one_line, status_of
from tests.once import make_once
from tests.warm import Warm


@pytest.fixture
def plot(capsys):
    """Run the command in this process; returns (status, standard output, standard error)."""

    def plot(*words):
        status = status_of(cli.main, *words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return plot


@pytest.fixture
def done(plot):
    """Run the command, which has to succeed; returns its standard output and error."""

    def done(*words):
        status, out, err = plot(*words)
        assert status == 0, err
        return out, err

    return done


@pytest.fixture
def refused(plot):
    """Run the command, which has to exit with 2 and one line; returns the line."""

    def refused(*words):
        status, out, err = plot(*words, "--quiet")
        assert (status, out) == (2, ""), err
        assert_one_line(err, "landscape-plot")
        return err

    return refused


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two runs of one architecture, without and with SAM."""
    words = ("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "--data", "digits")
    words = (*words, "--epochs", "1", "-b", "256", "--lr", "0.01", "--quiet")

    def make(folder):
        for name, rho in (("plain", "0"), ("sam", "0.1")):
            run = ("--rho", rho, "--output-dir", folder / name)
            assert status_of(train_cli.main, *words, *run) == 0

    folder = make_once(tmp_path_factory, "runs", make)
    return folder / "plain", folder / "sam"


@pytest.fixture(scope="session")
def warm(server, tmp_path_factory):
    """Starts landscape-plot in processes of their own."""
    warm = Warm(server, tmp_path_factory.mktemp("warm"), "landscape-plot")
    yield warm
    warm.close()
