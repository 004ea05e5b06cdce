"""Replicates: runs that differ in their seed alone, each in a folder of its own.

checkpoints/NAME/
  seed-0/          a run directory
  seed-1/
"""

import re
from pathlib import Path

from landscape.checkpoints.run import RunDirectory

_FOLDER = re.compile(r"seed-(-?[0-9]+)")


def replicate_run(folder: Path, seed: int) -> RunDirectory:
    """The run directory of a seed.

    Example:
        >>> replicate_run(Path("checkpoints/vit"), 1).path
        PosixPath('checkpoints/vit/seed-1')
    """
    return RunDirectory(folder / f"seed-{seed}")


def replicate_runs(folder: Path) -> dict[int, RunDirectory]:
    """The run directories of all seeds in a folder, by seed, in ascending order."""
    seeds = [seed_in(path.name) for path in folder.glob("seed-*")] if folder.is_dir() else []
    runs = {seed: replicate_run(folder, seed) for seed in sorted(s for s in seeds if s is not None)}
    return {seed: run for seed, run in runs.items() if run.exists()}


def seed_in(name: str) -> int | None:
    """The seed in the name of a replicate's run directory; None for any other name."""
    match = _FOLDER.fullmatch(name)
    return int(match[1]) if match else None
