"""Two commands in one folder at once."""

import os
import signal

import pytest

from landscape.results.journal import read_journal
from tests.analyses.command.resume.surfaces import GRID, assert_equal, journal_of, num_points
from tests.commands import assert_one_line, content
from tests.holder import holder


@pytest.fixture
def stopped(warm, subject, tmp_path):
    """A surface that is half measured and does not go on; the test may let it go on."""
    running = warm.start("surface", *subject, *GRID, "--output-dir", tmp_path)
    assert running.wait_for(lambda: num_points(journal_of(tmp_path)) >= 10), running.err
    os.kill(running.pid, signal.SIGSTOP)
    return running


def assert_refused(running, folder, holder):
    assert running.end() == 1
    assert running.out == ""
    last = running.err.splitlines(keepends=True)[-1]
    assert_one_line(last, "landscape-plot")
    place = f"surface in {folder / 'net'}"
    assert f"{place} is being written by process {holder.pid} on {os.uname().nodename}" in last
    assert "wait until it ends, or stop it, or choose another" in last


def test_a_second_surface_touches_nothing_of_the_first(warm, subject, unkilled, stopped, tmp_path):
    before = content(tmp_path)
    words = ("surface", *subject, *GRID, "--output-dir", tmp_path)
    others = [warm.start(*words, *flags) for flags in ((), ("--force",), ("--seed", "7"))]
    others += warm.start_ranks(*words, count=2)
    for other in others:
        assert_refused(other, tmp_path, stopped)
        assert content(tmp_path) == before
    os.kill(stopped.pid, signal.SIGCONT)
    assert stopped.end() == 0, stopped.err
    assert_equal(tmp_path, unkilled[0])


def test_another_analysis_and_another_network_go_on(warm, subject, stopped, tmp_path):
    weights, *words = subject
    warm.run("line", *subject, "--x=-1:1:3", "--output-dir", tmp_path)
    grid = ("--x=-1:1:3", "--y=-1:1:3")
    warm.run("surface", f"other={weights}", *words, *grid, "--output-dir", tmp_path)
    assert stopped.kill() == -signal.SIGKILL
    assert len(read_journal(journal_of(tmp_path)).values) >= 10


def test_what_is_there_is_drawn_while_it_is_measured_again(warm, subject, measured, unkilled):
    words = ("surface", *subject, *GRID, "--output-dir", measured)
    again = warm.start(*words, "--force")
    assert again.wait_for(lambda: num_points(journal_of(measured)) >= 1), again.err
    os.kill(again.pid, signal.SIGSTOP)
    before = content(measured)
    assert "net: surface is already measured" in warm.run(*words, "--format", "png")
    assert (measured / "surface.png").is_file()
    file = measured / "net" / "surface.h5"
    warm.run("surface", file, "--format", "png", "--output-dir", measured / "drawn")
    assert {name: content(measured)[name] for name in before} == before
    os.kill(again.pid, signal.SIGCONT)
    assert again.end() == 0, again.err
    assert_equal(measured, unkilled[0])


def test_pages_are_written_one_after_the_other(warm, measured, tmp_path):
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    names = {
        "surface.png": ".99999999-0a1b2c3d.part",  # no process has such a number
        "surface.json": f".{os.getpid()}-0a1b2c3d.part",
        "surface.csv": ".swp",
    }
    others = [drawn / f".{name}{ending}" for name, ending in names.items()]
    for path in others:
        path.touch()
    with holder(drawn / ".page.lock") as process:
        words = ("surface", measured / "net" / "surface.h5", "--format", "png,html")
        running = warm.start(*words, "--output-dir", drawn)
        assert running.wait_for(lambda: "waiting" in running.err), running.err
        assert f"page in {drawn} is being written by process {process.pid}" in running.err
        assert running.out == ""
        process.stdin.close()
        assert running.end() == 0, running.err
    assert (drawn / "surface.html").is_file()
    assert [path.exists() for path in others] == [False, True, True]
