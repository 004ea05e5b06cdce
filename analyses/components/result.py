"""Both ends of the spectrum of every component."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from analyses.components.settings import Settings
from analyses.hessian.component_curvature import Components
from analyses.hessian.eigenvalues import LARGEST, SMALLEST, Eigenvalues, curvature_units
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

ENDS = "ends/"


@dataclass(frozen=True)
class ComponentCurvature(Result):
    """The largest and the smallest eigenvalue of every component and of the whole network.

    Attributes:
        components: those of the components.
        ends: the largest and the smallest of the whole network, of shape (2,).
    """

    components: Components
    ends: Eigenvalues

    analysis: ClassVar[str] = "components"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("names",)

    def arrays(self) -> dict[str, Array]:
        """The arrays of the whole network and of the components."""
        unit = self.provenance.loss_unit
        return {
            **self.ends.arrays(unit, ENDS, "largest, smallest"),
            **self.components.arrays(unit),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        if f"{ENDS}eigenvalues" in arrays:
            ends = Eigenvalues.from_arrays(arrays, ENDS)
        else:  # files of earlier versions have the eigenvalue of largest magnitude
            ends = Eigenvalues.by_magnitude(arrays).ends
        return cls(
            Components.from_arrays(arrays),
            ends,
            label=label,
            settings=settings,
            provenance=provenance,
        )

    def headline(self) -> dict[str, Any]:
        """Both ends of each component and of the whole network, with the errors of each."""
        return {
            "components": self.components.headline(),
            "whole": {
                **self.ends.headline(LARGEST),
                "lambda_min": self.ends.headline(SMALLEST),
            },
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        return curvature_units(self.provenance.loss_unit)
