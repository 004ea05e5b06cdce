"""The top eigenvalues of many mini-batches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

if TYPE_CHECKING:
    pass
from analyses.minibatch.settings import Settings

# An eigenvalue is much closer than its residual says; a histogram asks for no more.
TOLERANCE = 1e-2


@dataclass(frozen=True)
class MinibatchSpectra(Result):
    """Eigenvalues of N mini-batches, the K largest by magnitude of each, and residuals (N, K)."""

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
    def largest(self) -> tuple[float, float]:
        """The mean over mini-batches of the largest eigenvalue, and its standard error."""
        return _mean(self.eigenvalues.max(1))

    @property
    def negative(self) -> tuple[float, float]:
        """The share of negative ones among the eigenvalues, and its standard error."""
        return _mean((self.eigenvalues < 0).mean(1))

    @property
    def converged(self) -> float:
        """The share of eigenvalues whose residual is within the tolerance."""
        return float((self.residuals <= TOLERANCE).mean())

    def headline(self) -> dict[str, Any]:
        """The mean of the largest, the share of negative ones, with their errors."""
        return {
            "mean_largest": self.largest[0],
            "mean_largest_stderr": self.largest[1],
            "max": float(self.eigenvalues.max()),
            "min": float(self.eigenvalues.min()),
            "negative_share": self.negative[0],
            "negative_share_stderr": self.negative[1],
            "converged": self.converged,
            "seconds": self.provenance.seconds,
        }


def _mean(values: NDArray[np.float64]) -> tuple[float, float]:
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), float(error)
