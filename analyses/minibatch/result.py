"""The top eigenvalues of many mini-batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.minibatch.settings import Settings
from landscape.estimates import Estimate
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

# An eigenvalue's error is much smaller than its residual; this suffices for a histogram.
TOLERANCE = 1e-2


@dataclass(frozen=True)
class MinibatchSpectra(Result):
    """The eigenvalues of N mini-batches, the K of largest magnitude of each, with residuals.

    Both arrays are of shape (N, K); residuals are relative to the magnitude.
    """

    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]

    analysis: ClassVar[str] = "minibatch"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Eigenvalues and residuals."""
        axes = ("minibatch", "rank")
        return {
            "eigenvalues": Array(self.eigenvalues, self.provenance.loss_unit, axes),
            "residuals": Array(self.residuals, "relative", axes),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(
            arrays["eigenvalues"],
            arrays["residuals"],
            label=label,
            settings=settings,
            provenance=provenance,
        )

    @property
    def largest(self) -> Estimate:
        """The mean over mini-batches of the largest eigenvalue."""
        return Estimate.of(self.eigenvalues.max(1))

    @property
    def negative(self) -> Estimate:
        """The share of negative eigenvalues, as a mean over mini-batches."""
        return Estimate.of((self.eigenvalues < 0).mean(1))

    @property
    def converged(self) -> float:
        """The share of eigenvalues whose residual is within the tolerance."""
        return float((self.residuals <= TOLERANCE).mean())

    def headline(self) -> dict[str, Any]:
        """The mean of the largest eigenvalues and the share of negative ones, with errors."""
        return {
            "mean_largest": self.largest.value,
            "mean_largest_stderr": self.largest.stderr,
            "max": float(self.eigenvalues.max()),
            "min": float(self.eigenvalues.min()),
            "negative_share": self.negative.value,
            "negative_share_stderr": self.negative.stderr,
            "converged": self.converged,
            "seconds": self.provenance.seconds,
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        largest = dict.fromkeys(("mean_largest", "max", "min"), self.provenance.loss_unit)
        return {**largest, "negative_share": "fraction", "seconds": "s"}
