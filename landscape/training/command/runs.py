"""The runs that a command line of ``landscape-train`` asks for: one, or one for each seed."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from landscape.checkpoints.replicates import replicate_run, replicate_runs
from landscape.checkpoints.run import (
    BEST,
    CONFIG,
    EMA,
    EPOCHS,
    EVALUATION,
    LAST,
    METRICS,
    RunDirectory,
)
from landscape.errors import InputError
from landscape.models.stored_names import printable
from landscape.runtime.distributed import Ranks
from landscape.training.command.plan import Plan, remembered_plan, requested_plan


@dataclass(frozen=True)
class RequestedRun:
    """A run directory, what is trained there, and whether it continues what was begun.

    Attributes:
        directory: The run directory.
        plan: All that determines the training.
        resumes: Whether the directory holds the run already.
    """

    directory: RunDirectory
    plan: Plan
    resumes: bool

    @property
    def has_weights(self) -> bool:
        """Whether the run that is resumed has saved any weights."""
        return self.resumes and (self.directory.path / LAST).is_file()


def requested_directories(arguments: argparse.Namespace) -> list[RunDirectory]:
    """The run directory of every run that a command line asks for.

    Raises:
        InputError: The flags exclude each other.
    """
    _check_flags(arguments)
    folder: Path = arguments.output_dir
    return [replicate_run(folder, seed) for seed in _seeds(arguments)] or [RunDirectory(folder)]


def requested_runs(arguments: argparse.Namespace, ranks: Ranks) -> list[RequestedRun]:
    """Every run that a command line asks for; they differ in their seed alone.

    Call this under the locks of the directories, so that what is decided here stays true.

    Args:
        arguments: The parsed command line.
        ranks: The processes; rank 0 decides which runs are resumed.

    Raises:
        InputError: A run is there that is neither to be resumed nor to be replaced, there is none
            to resume, the flags exclude each other, or a run names what only ``--trust`` allows.
    """
    directories, seeds = requested_directories(arguments), _seeds(arguments)
    folder: Path = arguments.output_dir
    resumed = ranks.broadcast(
        "training/resumes", _resumed(directories, folder, seeds, arguments, ranks)
    )
    plans = [
        remembered_plan(directory, arguments) if is_resumed else None
        for directory, is_resumed in zip(directories, resumed, strict=True)
    ]
    _check_alike(directories, plans)
    # A seed that has not begun is trained as the others are.
    known = next((plan for plan in plans if plan is not None), None) or requested_plan(arguments)
    runs = []
    for position, (directory, plan) in enumerate(zip(directories, plans, strict=True)):
        if plan is None:
            seed = seeds[position] if seeds else known.training.seed
            plan = replace(known, training=replace(known.training, seed=seed))
        runs.append(RequestedRun(directory, plan, resumed[position]))
    if any(resumed):
        _refuse_unnamed_weights(runs, arguments)
    return runs


def _seeds(arguments: argparse.Namespace) -> list[int]:
    """The seeds that are asked for, or that are resumed; none for a single run."""
    folder: Path = arguments.output_dir
    if not arguments.seeds and arguments.resume and not RunDirectory(folder).exists():
        return list(replicate_runs(folder))
    return list(arguments.seeds)


def _refuse_unnamed_weights(runs: Sequence[RequestedRun], arguments: argparse.Namespace) -> None:
    """Raise InputError if a run's config.json, and no flag, names weights that are to be opened."""
    for run in runs:
        init = run.plan.training.init
        if init and not run.has_weights and not hasattr(arguments, "init") and not arguments.trust:
            raise InputError(
                f"the {CONFIG} in {arguments.output_dir} names the weights {printable(init)} to "
                f"start from, which would be opened; if you know them, pass --init "
                f"{printable(init)}, or --trust to allow all that the file names"
            )


def _check_flags(arguments: argparse.Namespace) -> None:
    if arguments.resume and arguments.force:
        raise InputError("--resume and --force exclude each other; pass one of them")
    if arguments.seeds and "seed" in vars(arguments):
        raise InputError("--seed and --seeds exclude each other; pass one of them")
    if len(set(arguments.seeds)) < len(arguments.seeds):
        raise InputError(f"--seeds has to name each seed once, got {_listed(arguments.seeds)}")


def _resumed(
    directories: Sequence[RunDirectory],
    folder: Path,
    seeds: Sequence[int],
    arguments: argparse.Namespace,
    ranks: Ranks,
) -> list[bool]:
    """For each run whether it is resumed; decided by rank 0.

    Runs are also resumed after one of the processes died, when torchrun starts the same command
    again.

    Raises:
        InputError: There is a run, which is neither to be resumed nor to be replaced.
    """
    if not ranks.is_first:
        return [False] * len(directories)
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    present = [directory.exists() for directory in directories]
    if restarts and any(present):
        return present
    _refuse_other_runs(folder, seeds, arguments.resume)
    if arguments.resume:
        if seeds and not any(present):
            raise InputError(
                f"nothing to resume: {folder} holds none of these seeds; leave --resume out to "
                "start"
            )
        # A single run that is not there is an error, which reading its plan raises.
        return present if seeds else [True]
    if not arguments.force:
        for directory in directories:
            _refuse_to_overwrite(directory)
    return [False] * len(directories)


def _refuse_other_runs(folder: Path, seeds: Sequence[int], resume: bool) -> None:
    """Raise InputError for runs in the folder that would be taken for replicates of new ones."""
    if seeds and RunDirectory(folder).exists():
        raise InputError(
            f"{folder} holds a run of its own; choose another --output-dir for --seeds"
        )
    others = [seed for seed in replicate_runs(folder) if seed not in seeds]
    if others and not resume:
        held = ", ".join(f"seed-{seed}" for seed in others)
        raise InputError(
            f"{folder} holds {held}, which would be taken for replicates of a new training; to "
            "add seeds pass --resume --seeds with the new ones, else choose another --output-dir"
        )


def _check_alike(directories: Sequence[RunDirectory], plans: Sequence[Plan | None]) -> None:
    """Raise InputError if runs that are resumed together differ in more than their seed."""
    known = [
        (directory, _without_seed(plan))
        for directory, plan in zip(directories, plans, strict=True)
        if plan is not None
    ]
    for directory, settings in known[1:]:
        differing = [name for name in settings if settings[name] != known[0][1].get(name)]
        if differing:
            raise InputError(
                f"{directory.path} and {known[0][0].path} differ in "
                f"{', '.join(sorted(differing))}, not in their seed alone; resume each by itself, "
                "or train again with --force"
            )


def _without_seed(plan: Plan) -> dict[str, Any]:
    """The settings of a plan by name, but for the seed."""
    config = plan.config()
    settings = {**config["data"], **config["training"], "model": config["model"]}
    return {name: value for name, value in settings.items() if name != "seed"}


def _refuse_to_overwrite(run: RunDirectory) -> None:
    """Raise InputError if the output directory holds a run."""
    if not run.path.exists():
        return
    present = [
        name
        for name in (CONFIG, LAST, BEST, METRICS, EMA, EVALUATION)
        if (run.path / name).exists()
    ]
    if run.epochs():
        present.append(EPOCHS)
    if present:
        raise InputError(
            f"{run.path} already holds a run ({', '.join(present)}); continue it with --resume, "
            "replace it with --force, or choose another --output-dir"
        )


def _listed(seeds: Sequence[int]) -> str:
    return " ".join(map(str, seeds))
