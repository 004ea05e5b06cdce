"""The result of the training curves analysis: the metrics of a run by epoch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.curves.settings import Settings
from landscape.checkpoints.run import METRIC_COLUMNS
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

# The losses of landscape-train in words.
LOSSES = {"softmax": "softmax cross-entropy", "sigmoid": "sigmoid cross-entropy, sum of classes"}
UNITS = {
    "train_error": "%",
    "val_accuracy": "%",
    "ema_val_accuracy": "%",
    "seconds": "s",
    "images_per_second": "images/s",
}
OF_THE_LOSS = ("train_loss", "val_loss", "ema_val_loss", "grad_norm", "surrogate_gap")


@dataclass(frozen=True)
class Curves(Result):
    """The metrics of one run.

    Args:
        columns: the columns of metrics.csv by name, each of shape (epochs,). Other tools log at
            any step, have fewer columns, and nan where there is no value.
    """

    columns: Mapping[str, NDArray[np.float64]]

    analysis: ClassVar[str] = "curves"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("epoch",)

    def logged(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The epochs at which a column has a value, and the values; empty if there is none.

        A run of landscape-train logs every column at every epoch: there nan is a value.
        """
        values = np.asarray(self.columns.get(name, np.empty(0)), dtype=np.float64)
        epochs = np.asarray(self.columns["epoch"], dtype=np.float64)[: len(values)]
        is_logged = ~np.isnan(values) | bool(self.provenance.origin.get("training"))
        return epochs[is_logged], values[is_logged]

    @property
    def loss_name(self) -> str:
        """Which loss was minimised, as far as the run's settings are known.

        Weight decay is a part of the optimizer's step and of no loss.
        """
        training = self.provenance.origin.get("training") or {}
        if "loss" not in training:  # of another program, or of a training loop with a Tracker
            return "as logged"
        if training.get("task") == "contrastive":
            return "supervised contrastive"
        return LOSSES.get(training["loss"], str(training["loss"]))

    @property
    def training_loss_name(self) -> str:
        """The same with what the batches were that the training loss is the mean over."""
        training = self.provenance.origin.get("training") or {}
        if "loss" not in training:
            return self.loss_name
        conditions = {
            f"mixup {training.get('mixup')}": training.get("mixup"),
            "attacked pictures": training.get("task") == "adversarial",
            f"augmentation {training.get('augment')}": training.get("augment", "none") != "none",
            "RandAugment": training.get("randaugment"),
            "at w, before SAM's ascent": training.get("rho"),
        }
        return ", ".join([self.loss_name, *(words for words, holds in conditions.items() if holds)])

    def arrays(self) -> dict[str, Array]:
        """Every column by its name.

        The losses that landscape-train minimises are all cross-entropies; of other tools' the unit
        is unknown.
        """
        training = self.provenance.origin.get("training") or {}
        unit = "nats" if "loss" in training else ""
        units = {**UNITS, **dict.fromkeys(OF_THE_LOSS, unit)}
        return {
            name: Array(values, units.get(name, ""), ("epoch",))
            for name, values in self.columns.items()
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(
            {name: arrays[name] for name in in_file_order(arrays)},
            label=label,
            settings=settings,
            provenance=provenance,
        )

    def headline(self) -> dict[str, Any]:
        """Every column."""
        return {**self.columns, "seconds": self.provenance.seconds}

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        return {"seconds": "s"}


def in_file_order(columns: Collection[str]) -> list[str]:
    """The names of columns in the order of metrics.csv, then unknown ones in alphabetical order."""
    unknown = sorted(set(columns) - set(METRIC_COLUMNS))
    return [name for name in (*METRIC_COLUMNS, *unknown) if name in columns]
