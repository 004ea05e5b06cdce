"""Training curves of runs: errors, accuracies and losses by epoch (the paper's Figure 2).

They are read from each run's metrics.csv; nothing is computed, so neither data nor weights are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analyses.curves.result import Curves, _ordered
from analyses.curves.settings import Settings
from analyses.run_context import RunContext
from landscape.checkpoints.run import RunDirectory, run_of
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.results.provenance import Provenance


def measure(objective: Objective, settings: Settings, context: RunContext) -> Curves:
    """The curves of the run that the objective's checkpoint belongs to.

    Raises NotMeasurableError if it belongs to none, or none of whose epochs is finished.
    """
    checkpoint = objective.origin.get("checkpoint")
    run = run_of(Path(checkpoint)) if checkpoint else None
    columns = _columns(run, checkpoint or "the model")
    return Curves(columns)


def measure_run(path: Path, label: str, settings: Settings) -> Curves:
    """The same without data or weights. ``path`` is a run or a checkpoint in one."""
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
        },
    )
    return Curves(columns, label=label, settings=settings, provenance=provenance)


def _columns(run: RunDirectory | None, name: str) -> dict[str, NDArray[np.float64]]:
    rows = run.read_metrics() if run is not None else []
    if not rows:
        raise NotMeasurableError(
            f"{name} has no finished epoch in a metrics.csv of landscape-train"
        )
    return {key: np.array([row[key] for row in rows]) for key in _ordered(rows[0])}
