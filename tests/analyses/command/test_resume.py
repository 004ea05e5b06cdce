"""A surface that is interrupted, however and how often, ends as one that never was.

Also one that several processes share. Most commands run in processes forked from one that has
imported everything (:mod:`tests.analyses.warm`), some as a person starts them.
"""

import json
import random
import shutil
import signal
import socket
import subprocess
import time

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from landscape.results.journal import read_journal
from tests.analyses.warm import Warm
from tests.commands import TIMEOUT, installed, run, start

KILLS = 6

# A forward pass sleeps, so that a surface of 81 points takes long enough to be killed. After
# `last` of them it waits for the end of time.
USER_FILE = """\
import time

import torch
from torch import nn


class Slow(nn.Module):
    def __init__(self, pause, last):
        super().__init__()
        self.pause = pause
        self.left = last
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))

    def forward(self, x):
        self.left -= 1
        time.sleep(self.pause if self.left >= 0 else 1e6)
        return self.layers(x)


def net(pause=0.005, last=10**9):
    return Slow(pause, last)


def data(split):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(40, 4, generator=generator), torch.arange(40) % 3
"""
GRID = ("--x=-1:1:9", "--y=-1:1:9")
FINE = ("--x=-1:1:21", "--y=-1:1:21", "--refine", "--tolerance", "0.05")
LINE = ("--x=-1:1:21", "--repeats", "2")


def write_weights(path, seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"0.weight": (6, 4), "0.bias": (6,), "2.weight": (3, 6), "2.bias": (3,)}
    weights = {f"layers.{k}": torch.randn(s, generator=generator) for k, s in shapes.items()}
    torch.save(weights, path)
    return path


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    """The words that say what is measured."""
    folder = tmp_path_factory.mktemp("subject")
    (folder / "mine.py").write_text(USER_FILE)
    weights = write_weights(folder / "net.pth", 0)
    source = f"{folder}/mine.py"
    words = ("--model", f"{source}:net", "--data", f"{source}:data", "--format", "none")
    return (weights, *words, "--device", "cpu")


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """Starts landscape-plot."""
    warm = Warm(tmp_path_factory.mktemp("warm"))
    yield warm
    warm.close()


@pytest.fixture(scope="module")
def drawn_meanwhile(warm, subject, tmp_path_factory):
    """A surface with --preview that never ends, running since the first test."""
    folder = tmp_path_factory.mktemp("preview")
    words = ("surface", *subject, *GRID, "--model-args", "pause=0.12", "last=75", "--preview")
    return folder, warm.start(*words, "--output-dir", folder)


@pytest.fixture(scope="module")
def shared_by_torchrun(subject, tmp_path_factory):
    """A surface that torchrun shares over two ranks, running since the first test."""
    folder = tmp_path_factory.mktemp("torchrun")
    words = ("--nproc-per-node", "2", f"--master-port={free_port()}", "--no-python")
    command = (installed("landscape-plot"), "surface", *subject, *GRID, "--output-dir", folder)
    with subprocess.Popen(
        [installed("torchrun"), *words, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield folder, process
        process.kill()


@pytest.fixture(scope="module", autouse=True)
def _in_the_background(drawn_meanwhile, shared_by_torchrun):
    """What takes seconds starts first."""


@pytest.fixture(scope="module")
def unkilled(warm, subject, tmp_path_factory):
    """The folder of a finished surface, and the seconds that measuring took."""
    folder = tmp_path_factory.mktemp("unkilled")
    running = warm.start("surface", *subject, *GRID, "--output-dir", folder)
    assert running.wait_for(lambda: "measuring" in running.err)
    started = time.monotonic()
    assert running.end() == 0, running.err
    return folder, time.monotonic() - started


@pytest.fixture
def measured(unkilled, tmp_path):
    """A copy of it."""
    return shutil.copytree(unkilled[0], tmp_path / "measured")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def bits(path):
    """Every array of a result file, byte for byte."""
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            values = item.asstr()[()] if item.dtype.kind == "O" else item[()]
            text = np.asarray(values).dtype.kind in "OU"
            found[name] = (
                np.asarray(values).tolist()
                if text
                else (item.dtype.str, item.shape, np.asarray(values).tobytes())
            )

    with h5py.File(path) as file:
        assert file.attrs["complete"]
        file.visititems(keep)
    return found


def assert_equal(folder, expected, name="surface"):
    """The same arrays, the same headline, and nothing left of the work."""
    one, other = bits(folder / "net" / f"{name}.h5"), bits(expected / "net" / f"{name}.h5")
    assert one.keys() == other.keys()
    assert [key for key in one if one[key] != other[key]] == []
    one, other = (
        json.loads((where / "net" / f"{name}.json").read_text()) for where in (folder, expected)
    )
    changing = {"provenance": None}
    assert {**one, **changing} == {**other, **changing}
    assert list(folder.rglob("*.journal*")) == []


def journal_of(folder, name="surface"):
    return folder / "net" / f"{name}.journal"


def num_points(journal):
    entries = read_journal(journal)
    return len(entries.values) if entries else 0


def interrupt(warm, folder, *words, number=signal.SIGKILL, points=12):
    """Start a surface and end it when it has so many points; returns how many are kept."""
    running = warm.start("surface", *words, "--output-dir", folder)
    assert running.wait_for(lambda: num_points(journal_of(folder)) >= points)
    running.end(number)
    return num_points(journal_of(folder))


def start_ranks(warm, folder, *words, count=2):
    """The same command in several ranks, as torchrun starts them."""
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [
        warm.start(*words, "--output-dir", folder, environment={**shared, "RANK": str(rank)})
        for rank in range(count)
    ]


def test_a_surface_that_is_killed_again_and_again(warm, subject, unkilled, tmp_path):
    words = ("surface", *subject, *GRID, "--output-dir", tmp_path)
    instants, kept, killed = random.Random(20), 0, 0
    for kill in range(KILLS):
        running = warm.start(*words)
        running.wait_for(lambda running=running: "measuring" in running.err)
        if kill % 3 == 2:  # while the unfinished surface is about to be replaced
            running.wait_for(lambda: list(tmp_path.glob("net/.surface.h5.*")))
        else:
            time.sleep(instants.uniform(0, 2 * unkilled[1] / KILLS))
        killed += running.kill() == -signal.SIGKILL
        for path in tmp_path.rglob("*.h5"):
            with h5py.File(path) as file:
                assert file["train_loss"].shape == (9, 9)
        now = num_points(journal_of(tmp_path))
        assert now >= kept or not journal_of(tmp_path).exists()
        kept = now
    assert killed >= KILLS - 2  # the last ones may have come too late
    warm.run(*words)
    assert_equal(tmp_path, unkilled[0])


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
    with start("landscape-plot", *words) as process:
        deadline = time.monotonic() + TIMEOUT
        while num_points(journal_of(tmp_path)) < 20:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == (
        "landscape-plot: interrupted; what is finished is kept; the same command goes on from there"
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


def test_a_changed_grid_keeps_the_old_surface(warm, subject, measured):
    before = (measured / "net" / "surface.h5").read_bytes()
    headline = (measured / "net" / "surface.json").read_bytes()
    words = ("surface", *subject, "--y=-1:1:9", "--output-dir", measured)
    text = warm.run(*words, "--x=-1:1:7")
    assert (
        f"{measured}/net/surface.h5 was measured differently (x -1:1:9, now -1:1:7): "
        "kept as surface.1.h5"
    ) in text
    assert (measured / "net" / "surface.1.h5").read_bytes() == before
    assert (measured / "net" / "surface.1.json").read_bytes() == headline
    with h5py.File(measured / "net" / "surface.h5") as file:
        assert file["train_loss"].shape == (9, 7)
    assert "kept as surface.2.h5" in warm.run(*words, "--x=-1:1:5")


def test_a_changed_setting_keeps_the_old_points(warm, subject, unkilled, tmp_path):
    interrupt(warm, tmp_path, *subject, *GRID, "--seed", "1")
    before = journal_of(tmp_path).read_bytes()
    text = warm.run("surface", *subject, *GRID, "--output-dir", tmp_path)
    assert f"{journal_of(tmp_path)} belongs to another question (seed 1, now 0" in text
    assert "kept as surface.1.journal" in text
    assert "Resuming" not in text
    aside = tmp_path / "net" / "surface.1.journal"
    assert aside.read_bytes() == before
    aside.unlink()
    assert_equal(tmp_path, unkilled[0])


def test_what_is_measured_is_not_measured_again(warm, subject, measured, unkilled):
    path = measured / "net" / "surface.h5"
    words = ("surface", *subject, *GRID, "--output-dir", measured)
    with h5py.File(path) as file:
        before = file.attrs["provenance"]
    text = warm.run(*words)
    assert "net: surface is already measured" in text
    assert_equal(measured, unkilled[0])
    with h5py.File(path) as file:
        assert file.attrs["provenance"] == before
    text = warm.run(*words, "--force")
    assert "net: measuring surface" in text
    assert_equal(measured, unkilled[0])
    with h5py.File(path) as file:
        assert file.attrs["provenance"] != before
    assert not (measured / "net" / "surface.1.h5").exists()


def test_a_kill_before_the_journal_is_removed(warm, subject, measured, unkilled, tmp_path):
    """Between the last write of the surface and that."""
    interrupt(warm, tmp_path, *subject, *GRID)
    shutil.copy(journal_of(tmp_path), journal_of(measured))
    text = warm.run("surface", *subject, *GRID, "--output-dir", measured)
    assert "net: surface is already measured" in text
    assert_equal(measured, unkilled[0])


def test_force_begins_anew(warm, subject, unkilled, tmp_path):
    interrupt(warm, tmp_path, *subject, *GRID)
    text = warm.run("surface", *subject, *GRID, "--force", "--output-dir", tmp_path)
    assert "Resuming" not in text
    assert_equal(tmp_path, unkilled[0])


def test_a_checkpoint_that_a_line_leads_to_has_changed(warm, subject, tmp_path):
    other = write_weights(tmp_path / "other.pth", 1)
    words = ("line", *subject, "--x=0:1:3", "--toward-x", other, "--output-dir", tmp_path)
    warm.run(*words)
    before = bits(tmp_path / "net" / "line.h5")
    write_weights(other, 2)
    text = warm.run(*words)
    assert "already measured" not in text
    assert bits(tmp_path / "net" / "line.h5")["train_loss"] != before["train_loss"]


@pytest.mark.parametrize("words", [("surface", *FINE), ("line", *LINE)], ids=lambda words: words[0])
def test_two_ranks_measure_what_one_does(warm, subject, tmp_path, words):
    name, *settings = words
    command = (name, *subject, *settings, "--model-args", "pause=0.002")
    ranks = start_ranks(warm, tmp_path / "two", *command)
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
    ranks = start_ranks(warm, tmp_path, *words)
    journals = [journal_of(tmp_path), journal_of(tmp_path).with_suffix(".journal.1")]
    assert ranks[1].wait_for(lambda: all(num_points(path) >= 6 for path in journals))
    ranks[1].kill()
    # The other one finishes what is left and then waits; torchrun would end it.
    ranks[0].wait_for(lambda: num_points(journals[0]) >= 30)
    ranks[0].kill()
    kept = sum(map(num_points, journals))
    assert 36 <= kept <= 81
    resumed = start_ranks(warm, tmp_path, *words, count=again)
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
