"""The result of the linearity analysis: misses, loss and gradient between inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.linearity.settings import Settings
from landscape.estimates import Proportion
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

# The arrays that have a value for each point of the segment.
ALONG = (
    "t",
    "missing",
    "missing_stderr",
    "loss",
    "loss_stderr",
    "gradient_norm",
    "gradient_norm_stderr",
)


@dataclass(frozen=True)
class Linearity(Result):
    """Means over P pairs at T points between the inputs, with standard errors over pairs.

    Args:
        t: (T,), the share of the second input, from 0 to 1.
        missing: (T,), the share of misses.
        missing_stderr: (T,).
        loss: (T,), the loss of the mixture.
        loss_stderr: (T,).
        gradient_norm: (T,), the norm of its gradient with respect to the input, which is a number
            without unit after normalisation: the unit is that of the loss.
        gradient_norm_stderr: (T,).
        pairs: (P, 2), the numbers of the samples.
        targets: (P, 2), their classes.
        predictions: (P,), the classes predicted at the midpoints.
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
    coordinates: ClassVar[tuple[str, ...]] = ("t",)

    def arrays(self) -> dict[str, Array]:
        """Every array by its name."""
        unit = self.provenance.loss_unit
        shares = ("t", "missing", "missing_stderr")
        along = {
            name: Array(getattr(self, name), "fraction" if name in shares else unit, ("t",))
            for name in ALONG
        }
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
            **{name: arrays[name] for name in (*ALONG, "pairs", "targets", "predictions")},
            label=label,
            settings=settings,
            provenance=provenance,
        )

    @property
    def missing_rate(self) -> Proportion:
        """R, the share of misses at the midpoints, with its error over pairs."""
        return Proportion.of((self.predictions[:, None] != self.targets).all(1))

    def missing_rate_of(self, same_class: bool) -> Proportion:
        """R and its error among some of the pairs; nan if there are no such pairs.

        Args:
            same_class: whether of the pairs of one class, or of the pairs of two.
        """
        chosen = (self.targets[:, 0] == self.targets[:, 1]) == same_class
        missed = (self.predictions[:, None] != self.targets).all(1)[chosen]
        return Proportion.of(missed) if chosen.any() else Proportion(math.nan, math.nan)

    def headline(self) -> dict[str, Any]:
        """R with its error, of all pairs and by kind of pair, and the loss at the midpoints.

        ``NAME_interval`` is Wilson's 95 % interval, which also holds where R is 0 or 1.
        """
        middle = len(self.t) // 2
        rates = {
            "missing_rate": self.missing_rate,
            "missing_rate_same_class": self.missing_rate_of(same_class=True),
            "missing_rate_two_classes": self.missing_rate_of(same_class=False),
        }
        return {
            **{name: rate.value for name, rate in rates.items()},
            **{f"{name}_stderr": rate.stderr for name, rate in rates.items()},
            **{f"{name}_interval": rate.interval() for name, rate in rates.items()},
            "pairs": len(self.pairs),
            "loss_at_midpoints": self.loss[middle],
            "loss_at_midpoints_stderr": self.loss_stderr[middle],
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        rates = ("missing_rate", "missing_rate_same_class", "missing_rate_two_classes")
        shares = dict.fromkeys((*rates, *(f"{name}_interval" for name in rates)), "fraction")
        return {**shares, "loss_at_midpoints": self.provenance.loss_unit}
