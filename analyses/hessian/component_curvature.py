"""The curvature of each component, as results hold and compare it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from analyses.hessian.eigenvalues import Eigenvalues
from landscape.parameters.components import ORDER
from landscape.results.provenance import Provenance
from landscape.results.result import Array

SMALLEST = "components/smallest/"


@dataclass(frozen=True)
class Components:
    """Both ends of the spectrum of each of C components, other weights held fixed.

    Attributes:
        names: the names of the components.
        sizes: their numbers of parameters, shape (C,).
        largest: the largest eigenvalue of each.
        smallest: the smallest eigenvalue of each.
    """

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    largest: Eigenvalues
    smallest: Eigenvalues

    def arrays(self, unit: str) -> dict[str, Array]:
        """The arrays of a result file; ``unit`` is that of the loss."""
        return {
            "components/names": Array(np.array(self.names, dtype=object), "", ("component",)),
            "components/sizes": Array(self.sizes, "parameters", ("component",)),
            **self.largest.arrays(unit, "components/", "component"),
            **self.smallest.arrays(unit, SMALLEST, "component"),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of :meth:`arrays`."""
        largest = Eigenvalues.from_arrays(arrays, "components/")
        if f"{SMALLEST}eigenvalues" in arrays:
            smallest = Eigenvalues.from_arrays(arrays, SMALLEST)
        else:  # files of earlier versions have the eigenvalue of largest magnitude alone
            leading = largest
            largest, smallest = (
                leading.where(leading.values >= 0),
                leading.where(leading.values < 0),
            )
        names = tuple(str(name) for name in arrays["components/names"])
        return cls(names, arrays["components/sizes"], largest, smallest)

    def headline(self) -> dict[str, Any]:
        """Size, and both ends with their errors, of each by its name; first the largest."""
        return {
            name: {
                "parameters": int(self.sizes[k]),
                **self.largest.headline(k),
                "lambda_min": self.smallest.headline(k),
            }
            for k, name in enumerate(self.names)
        }


NO_COMPONENTS = Components(
    (), np.empty(0, np.int64), Eigenvalues.unknown(0), Eigenvalues.unknown(0)
)


class HasComponents(Protocol):
    """A result with the curvature of components beside that of the whole network."""

    @property
    def label(self) -> str:
        """The name of the checkpoint."""

    @property
    def provenance(self) -> Provenance:
        """What was measured."""

    @property
    def components(self) -> Components:
        """The curvature of the components."""

    @property
    def ends(self) -> Eigenvalues:
        """The largest and the smallest eigenvalue of the whole network."""


def component_names(results: Sequence[HasComponents]) -> list[str]:
    """The names of the components of all results: kinds of layers in usual order, then blocks."""
    names = dict.fromkeys(name for result in results for name in result.components.names)
    kinds = [name for name in ORDER if name in names]
    return [*kinds, *(name for name in names if name not in kinds)]
