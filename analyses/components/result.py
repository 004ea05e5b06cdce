"""The largest eigenvalue of every component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.hessian.component_curvature import Components
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

if TYPE_CHECKING:
    pass
from analyses.components.settings import Settings


@dataclass(frozen=True)
class ComponentCurvature(Result):
    """``components``, and of the whole network the largest eigenvalue with its residual, (1,) each.

    ``sampling_error`` is that of the whole network's.
    """

    components: Components
    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    sampling_error: float

    analysis: ClassVar[str] = "components"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Components and the whole network."""
        unit = self.provenance.loss_unit
        return {
            "eigenvalues": Array(self.eigenvalues, unit, ("rank",)),
            "residuals": Array(self.residuals, "relative", ("rank",)),
            "converged": Array(self.converged, "", ("rank",)),
            "sampling_error": Array(self.sampling_error, unit),
            **self.components.arrays(unit),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(
            Components.from_arrays(arrays),
            arrays["eigenvalues"],
            arrays["residuals"],
            arrays["converged"].astype(bool),
            float(arrays["sampling_error"]),
            label=label,
            settings=settings,
            provenance=provenance,
        )

    def headline(self) -> dict[str, Any]:
        """Size, eigenvalue, residual and verdict of each component and of the whole network."""
        return {
            "components": self.components.headline(),
            "whole": {
                "eigenvalue": self.eigenvalues[0],
                "residual": self.residuals[0],
                "converged": bool(self.converged[0]),
                "sampling_error": self.sampling_error,
            },
        }
