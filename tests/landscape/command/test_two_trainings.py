"""Two trainings in one folder at once: one works, and as if the other had not been there."""

import os
import signal

import pytest

from landscape.checkpoints.run import RunDirectory
from tests.commands import assert_one_line, content
from tests.landscape.command.words import FILES, SMALL, assert_same_weights, weights
from tests.landscape.training.runs import without_time

WORDS = (*SMALL, "--epochs", "4", "-b", "512", "--quiet")


@pytest.fixture(scope="module")
def undisturbed(warm, tmp_path_factory):
    """The folder of a run that was alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    warm.run(*WORDS, "--output-dir", folder)
    return folder


@pytest.fixture
def stopped(warm, tmp_path):
    """A training that has begun and does not go on; the test may let it go on."""
    folder = tmp_path / "seed-2"
    running = warm.start(*WORDS, "--output-dir", folder)
    assert running.wait_for((folder / "metrics.csv").exists), running.err
    os.kill(running.pid, signal.SIGSTOP)
    return folder, running


def assert_equal(folder, expected):
    assert set(content(folder)) == FILES
    for name in ("last.pt", "best.pt"):
        assert_same_weights(weights(folder, name), weights(expected, name))
    rows = (without_time(RunDirectory(path).read_metrics()) for path in (folder, expected))
    assert next(rows) == next(rows)


def assert_refused(running, folder, holder):
    assert running.end() == 1
    assert running.out == ""
    assert_one_line(running.err, "landscape-train")
    assert f"{folder} is being written by process {holder.pid} on {os.uname().nodename}" in (
        running.err
    )
    assert "wait until it ends, or stop it, or choose another" in running.err


def test_a_second_training_touches_nothing_of_the_first(warm, undisturbed, stopped, tmp_path):
    folder, first = stopped
    before = content(tmp_path)
    for flags in ((), ("--force",), ("--force", "--seed", "7"), ("--resume",)):
        words = () if "--resume" in flags else WORDS
        assert_refused(warm.start(*words, *flags, "--output-dir", folder), folder, first)
        assert content(tmp_path) == before
    # It would be one of several runs; none of them is begun.
    seeds = warm.start(*WORDS, "--seeds", "1", "2", "--force", "--output-dir", tmp_path)
    assert_refused(seeds, folder, first)
    assert content(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {"seed-2"}
    os.kill(first.pid, signal.SIGCONT)
    assert first.end() == 0, first.err
    assert_equal(folder, undisturbed)


def test_two_ranks_are_refused_as_one(warm, stopped):
    folder, first = stopped
    before = content(folder)
    for rank in warm.start_ranks(*WORDS, "--force", "--output-dir", folder, count=2):
        assert_refused(rank, folder, first)
    assert content(folder) == before


def test_a_killed_training_keeps_nobody_out(warm, undisturbed, stopped):
    folder, first = stopped
    first.kill()
    assert (folder / ".lock").exists()
    warm.run("--resume", "--quiet", "--output-dir", folder)
    assert_equal(folder, undisturbed)


def test_of_two_that_start_together_one_works(warm, undisturbed, tmp_path):
    both = [warm.start(*WORDS, "--output-dir", tmp_path / "run") for _ in range(2)]
    status, other = sorted(running.end() for running in both)
    # Where the other one came too late, the folder holds a run.
    assert (status, other) in ((0, 1), (0, 2)), [running.err for running in both]
    for running in both:
        assert running.err == "" if running.status == 0 else "error: " in running.err
    assert_equal(tmp_path / "run", undisturbed)


def test_what_is_refused_leaves_no_folder(warm, tmp_path):
    for words in (("--resume",), (*WORDS, "--model-args", "width=3")):
        running = warm.start(*words, "--output-dir", tmp_path / "some" / "run")
        assert running.end() == 2
        assert list(tmp_path.iterdir()) == []
