"""What a container allows: the control groups of Linux (cgroups, version 1 or 2)."""

from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def folders_of_groups(controller: str, proc: Path, cgroups: Path) -> Iterator[tuple[Path, int]]:
    """The group of this process and each one above it, with the version of their files.

    Args:
        controller: of the resource, such as ``memory``.
        proc: where the system reports on processes.
        cgroups: where it reports on control groups.

    Yields:
        A folder, and 1 or 2.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, version = cgroups, 2
        elif controller in controllers.split(","):
            root, version = cgroups / controller, 1
        else:
            continue
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            yield folder, version
            if folder == root:
                break
