"""The largest eigenvalue of every component."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.components.settings import Settings
from analyses.hessian.component_curvature import Components
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result


@dataclass(frozen=True)
class ComponentCurvature(Result):
    """The largest eigenvalue of every component and of the whole network.

    ``eigenvalues``, ``residuals`` and ``converged``, of shape (1,), are those of the whole
    network, and ``sampling_error`` is that of its eigenvalue.
    """

    components: Components
    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    sampling_error: float

    analysis: ClassVar[str] = "components"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """The arrays of the whole network and of the components."""
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
        """Eigenvalue, residual and convergence of each component and of the whole network."""
        return {
            "components": self.components.headline(),
            "whole": {
                "eigenvalue": self.eigenvalues[0],
                "residual": self.residuals[0],
                "converged": bool(self.converged[0]),
                "sampling_error": self.sampling_error,
            },
        }
