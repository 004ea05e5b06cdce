"""A surface that several processes share."""

import numpy as np
import pytest

from tests.analyses.command.resume.surfaces import (
    FINE,
    GRID,
    LINE,
    assert_equal,
    bits,
    journal_of,
    num_points,
)
from tests.commands import TIMEOUT


@pytest.mark.parametrize("words", [("surface", *FINE), ("line", *LINE)], ids=lambda words: words[0])
def test_two_ranks_measure_what_one_does(warm, subject, tmp_path, words):
    name, *settings = words
    command = (name, *subject, *settings, "--model-args", "pause=0.002")
    ranks = warm.start_ranks(*command, "--output-dir", tmp_path / "two", count=2)
    assert warm.run(*command, "--output-dir", tmp_path / "one")
    assert [rank.end() for rank in ranks] == [0, 0], [rank.err for rank in ranks]
    assert_equal(tmp_path / "two", tmp_path / "one", name)
    found = bits(tmp_path / "two" / "net" / f"{name}.h5")
    if name == "surface":
        measured = np.frombuffer(found["measured"][2], dtype=np.uint8)
        assert 13 * 13 <= measured.sum() < 21 * 21
    else:
        assert found["repeats/train_loss"][1] == (2, 21)
    assert ranks[1].err == ""  # one of them speaks


@pytest.mark.parametrize("again", [1, 2])
def test_ranks_that_were_killed(warm, subject, unkilled, tmp_path, again):
    words = ("surface", *subject, *GRID)
    ranks = warm.start_ranks(*words, "--output-dir", tmp_path, count=2)
    journals = [journal_of(tmp_path), journal_of(tmp_path).with_suffix(".journal.1")]
    assert ranks[1].wait_for(lambda: all(num_points(path) >= 6 for path in journals))
    ranks[1].kill()
    # The other one finishes what is left and then waits; torchrun would end it.
    ranks[0].wait_for(lambda: sum(map(num_points, journals)) >= 36)
    ranks[0].kill()
    kept = sum(map(num_points, journals))
    assert 36 <= kept <= 81
    resumed = warm.start_ranks(*words, "--output-dir", tmp_path, count=again)
    assert [rank.end() for rank in resumed] == [0] * again, [rank.err for rank in resumed]
    assert f"Resuming after {kept} points" in resumed[0].err
    assert_equal(tmp_path, unkilled[0])


def test_torchrun(shared_by_torchrun, unkilled):
    folder, process = shared_by_torchrun
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    assert err.count("net: measuring surface") == 1
    assert sorted(out.splitlines()) == [f"{folder}/net/surface.{kind}" for kind in ("h5", "json")]
    assert_equal(folder, unkilled[0])
