"""What the analysis of linearity was asked and what it found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.linearity.settings import Settings
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result


@dataclass(frozen=True)
class Linearity(Result):
    """For T points of the segment, each of shape (T,): ``t``, the share of misses, loss and
    gradient norm, with standard errors over P pairs.

    ``pairs`` (P, 2) are the samples by number, ``predictions`` (P,) the classes at the midpoints,
    ``targets`` (P, 2) those of the pair.
    """

    t: NDArray[np.float64]
    missing: NDArray[np.float64]
    missing_stderr: NDArray[np.float64]
    loss: NDArray[np.float64]
    loss_stderr: NDArray[np.float64]
    gradient_norm: NDArray[np.float64]
    gradient_norm_stderr: NDArray[np.float64]
    pairs: NDArray[np.int64]
    targets: NDArray[np.int64]
    predictions: NDArray[np.int64]

    analysis: ClassVar[str] = "linearity"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Every array by its name."""
        unit = self.provenance.loss_unit
        units = {"missing": "fraction", "missing_stderr": "fraction"}
        units |= dict.fromkeys(("loss", "loss_stderr"), unit)
        along = {name: Array(getattr(self, name), units.get(name, ""), ("t",)) for name in _ALONG}
        return {
            **along,
            "pairs": Array(self.pairs, "", ("pair", "end")),
            "targets": Array(self.targets, "class", ("pair", "end")),
            "predictions": Array(self.predictions, "class", ("pair",)),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(
            **{name: arrays[name] for name in _ARRAYS},
            label=label,
            settings=settings,
            provenance=provenance,
        )

    @property
    def missing_rate(self) -> tuple[float, float]:
        """R, the share of misses at the midpoints, with its standard error."""
        middle = len(self.t) // 2
        return float(self.missing[middle]), float(self.missing_stderr[middle])

    def missing_rate_of(self, same_class: bool) -> tuple[float, float]:
        """R and its error among the pairs of one class, or of two; nan without any."""
        chosen = (self.targets[:, 0] == self.targets[:, 1]) == same_class
        missed = (self.predictions[:, None] != self.targets).all(1)[chosen]
        return (float(missed.mean()), share_error(missed)) if chosen.any() else (math.nan, math.nan)

    def headline(self) -> dict[str, Any]:
        """R with its error, of all pairs and by kind; the loss at the midpoints."""
        middle = len(self.t) // 2
        rate, error = self.missing_rate
        found: dict[str, Any] = {"missing_rate": rate, "missing_rate_stderr": error}
        for name, same in (("same_class", True), ("two_classes", False)):
            rate, error = self.missing_rate_of(same)
            found |= {f"missing_rate_{name}": rate, f"missing_rate_{name}_stderr": error}
        return {
            **found,
            "pairs": len(self.pairs),
            "loss_at_midpoints": self.loss[middle],
            "loss_at_midpoints_stderr": self.loss_stderr[middle],
        }


_ARRAYS = tuple(field.name for field in fields(Linearity))[3:]
_ALONG = _ARRAYS[:7]


def share_error(found: NDArray[np.bool_]) -> float:
    """The standard error of a share of n, from Agresti and Coull's estimate of it.

    That has two more of each kind: of none or all of n the error is not 0.
    """
    count = len(found) + 4
    share = (float(found.sum()) + 2) / count
    return math.sqrt(share * (1 - share) / count)
