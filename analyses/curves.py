"""Training curves of runs: errors, accuracies and losses by epoch (the paper's Figure 2).

They are read from each run's metrics.csv; nothing is computed, so neither data nor weights are.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landscape.checkpoints.run import METRIC_COLUMNS, RunDirectory, run_of
from landscape.errors import InputError, NotMeasurableError
from landscape.objective import Objective
from landscape.options import option
from landscape.provenance import Provenance
from landscape.results import Array, Result
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Training curves"
SUMMARY = "training error and validation accuracy by epoch, from each run's metrics"
READING = {
    "": (
        "As each run recorded them while it trained: errors and losses on the training data are "
        "means over the epoch's steps, on augmented batches and at changing weights; those on the "
        "validation data are of the weights at the epoch's end."
    ),
    "curves": (
        "Left, the share of training samples that were misclassified; right, the validation "
        "accuracy. A run that ends with the larger training error and the larger validation "
        "accuracy has been regularised."
    ),
    "curves-loss": (
        "The loss on the training data (left) and on the validation data (right), as trained. "
        "Where the right curve turns up while the left one falls, the run overfits."
    ),
}
UNITS = {"train_error": "%", "val_accuracy": "%", "ema_val_accuracy": "%", "seconds": "s"}


@dataclass(frozen=True)
class Settings:
    """What is drawn."""

    every: int = option(1, "draw every Nth epoch", metavar="N")

    def __post_init__(self) -> None:
        """Raise InputError for a step that is none."""
        if self.every < 1:
            raise InputError(f"--every has to be positive, got {self.every}")


@dataclass(frozen=True)
class Curves(Result):
    """``columns`` of metrics.csv by name, each of shape (epochs,)."""

    columns: Mapping[str, NDArray[np.float64]]

    analysis: ClassVar[str] = "curves"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Each column by its name."""
        return {
            name: Array(values, UNITS.get(name, ""), ("epoch",))
            for name, values in self.columns.items()
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(label, settings, provenance, {name: arrays[name] for name in _ordered(arrays)})

    def headline(self) -> dict[str, Any]:
        """Every column."""
        return {**self.columns, "seconds": self.provenance.seconds}


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> Curves:
    """The curves of the run that the objective's checkpoint belongs to.

    Raises NotMeasurableError if it belongs to none, or none of whose epochs is finished.
    """
    started = time.perf_counter()
    checkpoint = objective.origin.get("checkpoint")
    run = run_of(Path(checkpoint)) if checkpoint else None
    columns = _columns(run, checkpoint or "the model")
    provenance = objective.provenance(time.perf_counter() - started)
    label = objective.origin.get("label", "")
    return Curves(label, settings or Settings(), provenance, columns)


def of_run(path: Path, label: str, settings: Settings) -> Curves:
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
    return Curves(label, settings, provenance, columns)


def _columns(run: RunDirectory | None, name: str) -> dict[str, NDArray[np.float64]]:
    rows = run.read_metrics() if run is not None else []
    if not rows:
        raise NotMeasurableError(
            f"{name} has no finished epoch in a metrics.csv of landscape-train"
        )
    return {key: np.array([row[key] for row in rows]) for key in _ordered(rows[0])}


def _ordered(names: Collection[str]) -> list[str]:
    """As metrics.csv has them; further ones by name."""
    further = sorted(set(names) - set(METRIC_COLUMNS))
    return [name for name in (*METRIC_COLUMNS, *further) if name in names]


def tabulate(results: Sequence[Curves]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each run."""
    from analyses.style import number

    def last(one: Curves, name: str) -> str:
        return number(float(one.columns[name][-1]))

    return {
        "": [
            {
                "run": one.label,
                "epochs": str(int(one.columns["epoch"][-1])),
                "training error, %": last(one, "train_error"),
                "training loss": last(one, "train_loss"),
                "validation accuracy, %": last(one, "val_accuracy"),
                "the best": number(float(one.columns["val_accuracy"].max())),
                "validation loss": last(one, "val_loss"),
                "minutes": number(float(one.columns["seconds"].sum()) / 60),
            }
            for one in results
        ]
    }


def draw(results: Sequence[Curves], look: Look | None = None) -> dict[str, Figure]:
    """Two pairs of panels: errors and accuracies; losses."""
    from analyses.curves_figures import pair

    errors = (("train_error", "training error (%)"), ("val_accuracy", "validation accuracy (%)"))
    losses = (("train_loss", "training loss"), ("val_loss", "validation loss"))
    return {"curves": pair(results, errors), "curves-loss": pair(results, losses)}
