"""A surface that is interrupted, however and how often, ends as one that never was."""

import random
import shutil
import signal
import time

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.analyses.command.resume.surfaces import (
    GRID,
    KILLS,
    assert_equal,
    interrupt,
    journal_of,
    num_points,
)
from tests.commands import run


def test_a_surface_that_is_killed_again_and_again(warm, subject, unkilled, tmp_path):
    words = ("surface", *subject, *GRID, "--output-dir", tmp_path)
    instants, kept, killed = random.Random(20), 0, 0
    for kill in range(KILLS):
        running = warm.start(*words)
        running.wait_for(lambda running=running: "measuring" in running.err)
        if kill == KILLS - 1:  # while the unfinished surface is about to be replaced
            running.wait_for(lambda: list(tmp_path.glob("net/.surface.h5.*")))
        else:
            time.sleep(instants.uniform(0, unkilled[1] / KILLS))
        killed += running.kill() == -signal.SIGKILL
        for path in tmp_path.rglob("*.h5"):
            with h5py.File(path) as file:
                assert file["train_loss"].shape == (9, 9)
        now = num_points(journal_of(tmp_path))
        assert now >= kept or not journal_of(tmp_path).exists()
        kept = now
    assert killed >= max(1, KILLS - 2)  # the last ones may have come too late
    warm.run(*words)
    assert_equal(tmp_path, unkilled[0])


@pytest.mark.usefixtures("drawn_meanwhile")  # its picture takes seconds, and a later test opens it
def test_what_killed_writes_leave_behind_goes(warm, subject, tmp_path):
    running = warm.start("surface", *subject, *GRID, "--output-dir", tmp_path)
    leftovers = tmp_path / "net"
    running.wait_for(lambda: list(leftovers.glob(".surface.h5.*")))
    running.kill()
    leftovers.joinpath(".surface.h5.99999999-00000000.part").write_bytes(b"half")  # if it was late
    warm.run("surface", *subject, *GRID, "--output-dir", tmp_path)
    assert {path.name for path in leftovers.iterdir()} == {"surface.h5", "surface.json"}


def test_control_c(warm, subject, unkilled, tmp_path):
    words = ("surface", *subject, *GRID, "--output-dir", tmp_path)
    running = warm.start(*words)
    assert running.wait_for(lambda: num_points(journal_of(tmp_path)) >= 20), running.err
    assert running.end(signal.SIGINT) == 130
    assert running.out == ""
    err = running.err
    assert err.splitlines()[-1] == (
        "landscape-plot: interrupted; what is finished is kept; "
        "the same command continues from there"
    )
    assert "Traceback" not in err
    kept = num_points(journal_of(tmp_path))
    assert kept >= 20
    text = warm.run(*words)
    assert f"Resuming after {kept} points ({journal_of(tmp_path)})" in text
    assert_equal(tmp_path, unkilled[0])


def test_an_unfinished_surface_is_marked_as_one(warm, subject, tmp_path):
    interrupt(warm, tmp_path, *subject, *GRID)
    with h5py.File(tmp_path / "net" / "surface.h5") as file:
        assert not file.attrs["complete"]
        measured = file["measured"][()].astype(bool)
        assert 0 < measured.sum() < 81
        assert (np.isfinite(file["train_loss"][()]) == measured).all()


def test_a_kill_before_the_journal_is_removed(warm, subject, measured, unkilled, tmp_path):
    """Between the last write of the surface and that."""
    interrupt(warm, tmp_path, *subject, *GRID)
    shutil.copy(journal_of(tmp_path), journal_of(measured))
    text = warm.run("surface", *subject, *GRID, "--output-dir", measured)
    assert "net: surface is already measured" in text
    assert_equal(measured, unkilled[0])


def test_a_preview_can_be_seen_before_the_end(drawn_meanwhile):
    folder, running = drawn_meanwhile
    assert running.wait_for(lambda: (folder / "surface.png").exists()), running.err
    with Image.open(folder / "surface.png") as picture:
        picture.load()
        assert min(picture.size) > 200
    with h5py.File(folder / "net" / "surface.h5") as file:
        assert not file.attrs["complete"]
    assert running.is_alive
    assert running.kill() == -signal.SIGKILL


def test_the_command_itself_after_a_kill(subject, unkilled, warm, tmp_path):
    kept = interrupt(warm, tmp_path, *subject, *GRID)
    done = run("landscape-plot", "surface", *subject, *GRID, "--output-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Resuming after {kept} points" in done.stderr
    assert_equal(tmp_path, unkilled[0])
