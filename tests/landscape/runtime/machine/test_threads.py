"""How threads wait, by what the processors do and what a container allows."""

import json
import os
import subprocess
import sys
import time

import pytest

from landscape.errors import InputError
from landscape.runtime.machine.threads import Processors, adapt, observe, threads

PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}


@pytest.mark.parametrize(
    ("processors", "before", "added"),
    [
        (Processors(2, None, 0.0), {}, {}),
        (Processors(2, None, 0.3), {}, {}),  # a desktop's
        (Processors(2, None, 1.0), {}, PASSIVE),
        (Processors(2, None, None), {}, {}),
        (Processors(1, None, 1.0), {}, {}),  # nothing to wait for
        (Processors(2, None, 1.0), {"OMP_NUM_THREADS": "1"}, {}),
        (Processors(64, None, 1.0), {"OMP_NUM_THREADS": "32"}, {}),  # room enough
        (Processors(64, None, 40.0), {"OMP_NUM_THREADS": "32"}, PASSIVE),
        (Processors(2, None, 1.0), {"OMP_WAIT_POLICY": "ACTIVE"}, {}),
        (Processors(2, None, 1.0), {"GOMP_SPINCOUNT": "7"}, {}),
        (Processors(2, None, 1.0), {"KMP_BLOCKTIME": "0"}, {}),
        (Processors(8, 2.0, 0.0), {}, {"OMP_NUM_THREADS": "2"}),
        (Processors(8, 2.5, 0.0), {}, {"OMP_NUM_THREADS": "2"}),
        (Processors(8, 0.5, 0.0), {}, {"OMP_NUM_THREADS": "1"}),
        (Processors(8, 4.0, 7.0), {}, {"OMP_NUM_THREADS": "4", **PASSIVE}),
        (Processors(8, 2.0, 0.0), {"OMP_NUM_THREADS": "6"}, PASSIVE),  # more than the limit
        (Processors(8, 16.0, 0.0), {}, {}),
    ],
)
def test_what_is_set(processors, before, added):
    environment = dict(before)
    adapt(processors, environment)
    assert environment == {**before, **added}


def system(folder, ticks, quota=None):
    """A system whose processors' counts are those of ``ticks``, in a group with a limit."""
    (folder / "self").mkdir(parents=True, exist_ok=True)
    (folder / "stat").write_text(
        "cpu 0 0 0 0 0 0 0 0 0 0\n"
        + "".join(f"cpu{n} {' '.join(map(str, row))}\n" for n, row in enumerate(ticks))
        + "intr 5\n"
    )
    (folder / "self" / "cgroup").write_text("0::/a/b\n1:cpu,cpuacct:/c\n")
    for path, files in (quota or {}).items():
        (folder / path).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / path / name).write_text(text)
    return folder


def test_processors_that_others_use(tmp_path, monkeypatch):
    """Two of three processors are allowed; only what computes above our priority counts."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 2}, raising=False)
    monkeypatch.setattr(os, "nice", lambda _step: 0)
    tick = os.sysconf("SC_CLK_TCK")
    system(tmp_path, [[0] * 10, [0] * 10, [0] * 10])

    def later(_seconds):
        # user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice
        rows = [[40, 500, 5, 900, 70, 1, 2, 2, 40, 0], [900] * 10, [50, 0, 0, 9, 9, 0, 0, 0, 0, 0]]
        system(tmp_path, [[value * tick for value in row] for row in rows])

    clock = iter([100.0, 200.0])
    monkeypatch.setattr(time, "sleep", later)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "process_time", iter([3.0, 13.0]).__next__)
    processors = observe(1.0, tmp_path, tmp_path)
    assert processors.allowed == 2
    assert processors.busy == pytest.approx((50 + 50 - 10) / 100)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"a/b": {"cpu.max": "max 100000\n"}}, None),
        ({"a/b": {"cpu.max": "150000 100000\n"}}, 1.5),
        ({"a/b": {"cpu.max": "max 100000\n"}, "a": {"cpu.max": "300000 100000\n"}}, 3.0),
        ({"a/b": {"cpu.max": "400000 100000\n"}, ".": {"cpu.max": "200000 50000\n"}}, 4.0),
        ({"cpu/c": {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}}, None),
        ({"cpu/c": {"cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n"}}, 0.5),
        ({"a/b": {"cpu.max": "50000 0\n"}}, None),
        ({"a/b": {"cpu.max": "a b c\n"}}, None),
    ],
)
def test_the_limit_of_a_container(tmp_path, files, quota):
    system(tmp_path, [], files)
    assert observe(0.0, tmp_path, tmp_path).quota == quota


def test_a_system_that_does_not_say(tmp_path):
    processors = observe(0.0, tmp_path, tmp_path)
    assert processors.busy is None
    assert processors.quota is None
    assert processors.allowed >= 1


@pytest.mark.parametrize("text", ["", "cpu0 1 2\n", "cpu0 a b c d e f g h\n"])
def test_counts_that_cannot_be_read(tmp_path, text):
    (tmp_path / "stat").write_text(text)
    assert observe(0.0, tmp_path, tmp_path).busy is None


def test_it_is_too_late_once_torch_is_there():
    import torch  # noqa: F401

    with pytest.raises(InputError, match="after torch was imported"):
        threads()


def test_torch_reads_what_was_set():
    """In a new process: called from the package, before torch, with the variable torch reads."""
    code = (
        "import landscape, os, json; from landscape.runtime.machine import threads as module\n"
        "module.observe = lambda: module.Processors(4, 2.0, 3.0)\n"
        "print(json.dumps(repr(landscape.threads())))\n"
        "import torch; print(json.dumps([torch.get_num_threads(), os.environ['OMP_WAIT_POLICY']]))"
    )
    environment = {name: value for name, value in os.environ.items() if "OMP" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == "Processors(allowed=4, quota=2.0, busy=3.0)"
    assert second == [2, "PASSIVE"]
