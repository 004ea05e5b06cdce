"""The largest Hessian eigenvalue of each component, as results hold and compare it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from landscape.parameters.components import ORDER
from landscape.results.provenance import Provenance
from landscape.results.result import Array


@dataclass(frozen=True)
class Components:
    """The largest Hessian eigenvalue of each of C components.

    Attributes:
        names: the names of the components.
        sizes: their numbers of parameters, shape (C,) like all that follow.
        eigenvalues: the eigenvalues of largest magnitude.
        residuals: their residuals, relative to their magnitude.
        converged: whether the residuals are within the tolerance.
        sampling_errors: standard errors with respect to all the data; nan where unknown.
    """

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    sampling_errors: NDArray[np.float64]

    def arrays(self, unit: str) -> dict[str, Array]:
        """The arrays of a result file; ``unit`` is that of the loss."""
        return {
            "components/names": Array(np.array(self.names, dtype=object), "", ("component",)),
            "components/sizes": Array(self.sizes, "parameters", ("component",)),
            "components/eigenvalues": Array(self.eigenvalues, unit, ("component",)),
            "components/residuals": Array(self.residuals, "relative", ("component",)),
            "components/converged": Array(self.converged, "", ("component",)),
            "components/sampling_errors": Array(self.sampling_errors, unit, ("component",)),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of :meth:`arrays`."""
        eigenvalues = arrays["components/eigenvalues"]
        return cls(
            tuple(str(name) for name in arrays["components/names"]),
            arrays["components/sizes"],
            eigenvalues,
            arrays["components/residuals"],
            arrays["components/converged"].astype(bool),
            # Files of earlier versions have no sampling errors.
            arrays.get("components/sampling_errors", np.full(len(eigenvalues), np.nan)),
        )

    def headline(self) -> dict[str, Any]:
        """Size, eigenvalue, residual, convergence and sampling error of each, by its name."""
        return {
            name: {
                "parameters": int(self.sizes[k]),
                "eigenvalue": self.eigenvalues[k],
                "residual": self.residuals[k],
                "converged": bool(self.converged[k]),
                "sampling_error": self.sampling_errors[k],
            }
            for k, name in enumerate(self.names)
        }


NO_COMPONENTS = Components(
    (), np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0, np.bool_), np.empty(0)
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
    def eigenvalues(self) -> NDArray[np.float64]:
        """The eigenvalues of the whole network, largest magnitude first."""

    @property
    def residuals(self) -> NDArray[np.float64]:
        """The relative residuals of those eigenvalues."""

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether those residuals are within the tolerance."""

    @property
    def sampling_error(self) -> float:
        """The sampling error of the first of those eigenvalues."""


def component_names(results: Sequence[HasComponents]) -> list[str]:
    """The names of the components of all results: kinds of layers in usual order, then blocks."""
    names = dict.fromkeys(name for result in results for name in result.components.names)
    kinds = [name for name in ORDER if name in names]
    return [*kinds, *(name for name in names if name not in kinds)]
