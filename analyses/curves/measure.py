"""Training curves of runs: errors, accuracies and losses by epoch (the paper's Figure 2).

They are read from each run's metrics.csv, or from the log of another tool; neither data nor weights
are needed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analyses.curves.result import Curves, in_file_order
from analyses.curves.settings import Settings
from analyses.run_context import RunContext
from landscape.checkpoints.logs.training_log import FOREIGN_LOGS, TrainingLog, find_log
from landscape.checkpoints.run import epochs_unit, run_of
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.results.provenance import Provenance
from landscape.training.stored_settings import stored_training

NO_EPOCH = "{} has no finished epoch in a metrics.csv of landscape-train"


def measure(objective: Objective, settings: Settings, context: RunContext) -> Curves:
    """Read the curves of the run that the objective's checkpoint belongs to.

    Args:
        objective: its origin names the checkpoint.
        settings: which epochs are drawn; all are read.
        context: not used.

    Returns:
        The metrics by epoch.

    Raises:
        NotMeasurableError: if the checkpoint belongs to no run, or to a run without a finished
            epoch, or with a damaged metrics.csv.
    """
    checkpoint = objective.origin.get("checkpoint")
    try:
        log = find_log(Path(checkpoint)) if checkpoint else None
    except InputError as error:  # what is measured on the weights does not need it
        raise NotMeasurableError(str(error)) from error
    if log is None:
        raise NotMeasurableError(NO_EPOCH.format(checkpoint or "the model"))
    return Curves(_columns(log))


def measure_run(path: Path, label: str, settings: Settings) -> Curves:
    """Read the curves of a training from its log, without data or weights.

    Args:
        path: a run directory or a checkpoint in one; or a summary.csv of timm, a metrics.csv of
            Lightning, a trainer_state.json of Hugging Face, or a checkpoint or folder beside one.
        label: the name of the run in tables and pictures.
        settings: which epochs are drawn; all are read.

    Returns:
        The metrics by epoch.

    Raises:
        InputError: if there is no log, or if it is damaged.
        NotMeasurableError: if the run has no finished epoch.
    """
    log = find_log(path)
    if log is None:
        run = run_of(path)
        if run is not None and run.exists():
            raise NotMeasurableError(NO_EPOCH.format(path))
        raise InputError(
            f"{path} is not a run of landscape-train and has no log of another training beside it: "
            f"expected {', '.join(FOREIGN_LOGS)}"
        )
    config = log.config
    training = stored_training(config, log.path)
    model, data = config.get("model", {}), config.get("data", {})
    provenance = Provenance(
        num_parameters=int(config.get("num_parameters", 0)),
        num_samples=0,
        sample_sha256="",
        weights_sha256="",
        precision=str(training.get("precision", "fp32")),
        device=str(training.get("device", "")),
        seconds=0.0,
        origin={
            "label": label,
            "checkpoint": str(log.path),
            "model": model.get("name", ""),
            "model_args": model.get("arguments", {}),
            "data": data.get("data", ""),
            "recipe": config.get("recipe", ""),
            "training": training,
            "training_data": data,
            "samples_per_perturbation": config.get("samples_per_perturbation"),
            "unit": epochs_unit(config),
        },
    )
    return Curves(_columns(log), label=label, settings=settings, provenance=provenance)


def _columns(log: TrainingLog) -> dict[str, NDArray[np.float64]]:
    """The columns of a log in the order of metrics.csv."""
    return {name: log.columns[name] for name in in_file_order(log.columns)}
