"""How much memory this process can still take on the host, within the limits of its container."""

import os
from pathlib import Path

from landscape.runtime.machine.control_groups import CGROUPS, PROC, folders_of_groups

# The limit and the usage by version of control groups.
_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    2: ("memory.max", "memory.current"),
}


def available_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """The number of bytes that can be allocated without swapping.

    That is what the system reports, or an eighth of all memory where it reports nothing; less where
    a control group (Linux's cgroups of version 1 or 2, which containers have) allows less.

    Args:
        proc: Where the system reports on memory and processes.
        cgroups: Where it reports on control groups.
    """
    return min([_of_system(proc), *_within_groups(proc, cgroups)])


def _of_system(proc: Path) -> int:
    try:
        lines = (proc / "meminfo").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8


def _within_groups(proc: Path, cgroups: Path) -> list[int]:
    """What the group of this process, and each one above it, leaves of its limit."""
    rooms = (
        _room(folder, *_FILES[version])
        for folder, version in folders_of_groups("memory", proc, cgroups)
    )
    return [room for room in rooms if room is not None]


def _room(folder: Path, limit_name: str, usage_name: str) -> int | None:
    """The limit of a group less what it uses; None without a limit."""
    try:
        limit = (folder / limit_name).read_text().strip()
        usage = int((folder / usage_name).read_text())
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    if not limit.isdecimal():  # "max"
        return None
    # Pages of files count as used, and are given up when they are needed.
    reclaimable = int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
    return max(0, int(limit) - usage + reclaimable)
