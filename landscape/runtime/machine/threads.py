"""How many threads torch may use, and whether one that waits for the others spins or sleeps.

A pass through a network is thousands of short parallel loops, at the end of which every thread
waits for the last. OpenMP's threads spin while they wait, which is fastest where each has a
processor. Where others want the processors it is slowest: a thread that spins keeps the one it
waits for from running. benchmarks/RESULTS.md says how much either costs. So it is decided by what
the processors do now. How threads wait changes no bit of a result; how many there are changes
the last ones, and depends on the container alone.
"""

import logging
import os
import sys
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from landscape.errors import InputError
from landscape.runtime.machine.control_groups import CGROUPS, PROC, folders_of_groups

_logger = logging.getLogger(__name__)

SECONDS = 0.2
# What says how threads wait: of OpenMP, GNU's and Intel's or LLVM's.
_CHOSEN_BY_USER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
# Less than this share of a processor is what a desktop does when nothing is asked of it.
_BUSY = 0.5
# The columns of /proc/stat behind the name of a processor (proc_stat(5)).
_USER, _NICE, _SYSTEM, _IRQ, _SOFTIRQ, _STEAL = 0, 1, 2, 5, 6, 7


@dataclass(frozen=True)
class Processors:
    """The processors that this process may run on.

    Attributes:
        allowed: their number.
        quota: how many of them its container lets it use; None without a limit.
        busy: how many of them other processes used, in the mean over a moment; None where
            the system does not say.
    """

    allowed: int
    quota: float | None
    busy: float | None


def threads() -> Processors:
    """Set OpenMP's threads for the processors that are free; call it before torch is imported.

    If other processes use them, or a container allows fewer, threads that wait will sleep
    (``OMP_WAIT_POLICY=PASSIVE``), and a container's limit bounds their number
    (``OMP_NUM_THREADS``). Variables that are set already are left as they are. The commands call
    this; a program of your own should, too, if it may share its machine.

    Returns:
        The processors, as they were for a fifth of a second.

    Raises:
        InputError: torch is imported already, which has read the variables by now.

    Example:
        >>> import landscape
        >>> landscape.threads()  # doctest: +SKIP
        Processors(allowed=2, quota=None, busy=0.97)
    """
    if "torch" in sys.modules:
        raise InputError(
            "landscape.threads() was called after torch was imported, when it has no effect; "
            "call it first"
        )
    processors = observe()
    adapt(processors, os.environ)
    return processors


def adapt(processors: Processors, environment: MutableMapping[str, str]) -> None:
    """Set the variables of OpenMP, but for those that are set."""
    usable = processors.allowed if processors.quota is None else processors.quota
    if usable < processors.allowed:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, int(usable))))
    number = environment.get("OMP_NUM_THREADS", "")
    count = int(number) if number.isdecimal() else processors.allowed
    is_crowded = processors.busy is not None and processors.busy >= _BUSY
    room = min(usable, processors.allowed - (processors.busy or 0) if is_crowded else usable)
    if count < 2 or count <= room or any(name in environment for name in _CHOSEN_BY_USER):
        return
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    _logger.debug(
        "%.1f of %d processors are free: threads sleep while they wait (OMP_WAIT_POLICY=PASSIVE)",
        room,
        processors.allowed,
    )


def observe(seconds: float = SECONDS, proc: Path = PROC, cgroups: Path = CGROUPS) -> Processors:
    """Watch the processors for a moment.

    Args:
        seconds: how long.
        proc: where the system reports on processors and processes.
        cgroups: where it reports on control groups.
    """
    if hasattr(os, "sched_getaffinity"):
        numbers = os.sched_getaffinity(0)
    else:
        numbers = set(range(os.cpu_count() or 1))
    before, self_before, started = _used(proc, numbers), time.process_time(), time.monotonic()
    time.sleep(seconds)
    after, self_after, ended = _used(proc, numbers), time.process_time(), time.monotonic()
    busy = None
    if before is not None and after is not None:
        busy = max(0.0, after - before - (self_after - self_before)) / (ended - started)
    return Processors(len(numbers), _quota(proc, cgroups), busy)


def _used(proc: Path, numbers: set[int]) -> float | None:
    """The seconds for which processors have computed since the system started.

    Processes of lower priority than this one give way to it, and do not count.
    """
    columns = [_USER, _SYSTEM, _IRQ, _SOFTIRQ, _STEAL]
    if os.nice(0) > 0:
        columns.append(_NICE)
    try:
        lines = (proc / "stat").read_text().splitlines()
        counts = dict(line.split(" ", 1) for line in lines if line.startswith("cpu"))
        ticks = 0
        for number in numbers:
            values = counts[f"cpu{number}"].split()
            ticks += sum(int(values[column]) for column in columns)
    except (OSError, KeyError, IndexError, ValueError):
        return None
    return ticks / os.sysconf("SC_CLK_TCK")


def _quota(proc: Path, cgroups: Path) -> float | None:
    """How many processors the group of this process, or one above it, may use; the least."""
    quotas = []
    for folder, version in folders_of_groups("cpu", proc, cgroups):
        try:
            if version == 2:
                limit, period = (folder / "cpu.max").read_text().split()
            else:
                names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                limit, period = ((folder / name).read_text().strip() for name in names)
            if limit.isdecimal():  # neither "max" nor -1
                quotas.append(int(limit) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return min(quotas, default=None)
