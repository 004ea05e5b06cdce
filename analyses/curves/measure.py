"""Training curves of runs: errors, accuracies and losses by epoch (the paper's Figure 2).

They are read from each run's metrics.csv; neither data nor weights are needed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analyses.curves.result import Curves, in_file_order
from analyses.curves.settings import Settings
from analyses.run_context import RunContext
from landscape.checkpoints.run import RunDirectory, epochs_unit, run_of
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.results.provenance import Provenance


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
            epoch.
    """
    checkpoint = objective.origin.get("checkpoint")
    run = run_of(Path(checkpoint)) if checkpoint else None
    return Curves(_columns(run, checkpoint or "the model"))


def measure_run(path: Path, label: str, settings: Settings) -> Curves:
    """Read the curves of a run directory, without data or weights.

    Args:
        path: a run directory or a checkpoint in one.
        label: the name of the run in tables and pictures.
        settings: which epochs are drawn; all are read.

    Returns:
        The metrics by epoch.

    Raises:
        InputError: if ``path`` is not a run of landscape-train.
        NotMeasurableError: if the run has no finished epoch.
    """
    run = run_of(path)
    if run is None or not run.exists():
        raise InputError(f"{path} is not a run of landscape-train: it has no metrics")
    columns = _columns(run, str(path))
    config = run.read_config()
    training = config.get("training", {})
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
            "checkpoint": str(run.path),
            "model": config["model"]["name"],
            "model_args": config["model"]["arguments"],
            "data": config["data"].get("data", ""),
            "recipe": config.get("recipe", ""),
            "training": training,
            "unit": epochs_unit(config),
        },
    )
    return Curves(columns, label=label, settings=settings, provenance=provenance)


def _columns(run: RunDirectory | None, name: str) -> dict[str, NDArray[np.float64]]:
    """The columns of metrics.csv; ``name`` is that of the run in messages."""
    rows = run.read_metrics() if run is not None else []
    if not rows:
        raise NotMeasurableError(
            f"{name} has no finished epoch in a metrics.csv of landscape-train"
        )
    return {key: np.array([row[key] for row in rows]) for key in in_file_order(rows[0])}
