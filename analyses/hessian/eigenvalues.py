"""Eigenvalues with the errors of each, and the two ends of a spectrum, as results hold them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landscape.eigen.eigenpairs import Eigenpairs
from landscape.results.result import Array

# The places of the two ends among eigenvalues that hold them.
LARGEST, SMALLEST = 0, 1


@dataclass(frozen=True)
class Eigenvalues:
    """Some eigenvalues, each with errors of its own.

    Attributes:
        values: of shape (n,) like all that follow; nan where one is not known.
        residuals: the residuals of the pairs, relative to the magnitude of each value.
        converged: whether the residuals are within the tolerance.
        sampling_errors: standard errors with respect to all the data; nan where unknown.
    """

    values: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    sampling_errors: NDArray[np.float64]

    @classmethod
    def of(cls, pairs: Eigenpairs, sampling_errors: Sequence[float]) -> Self:
        """Those of certified pairs."""
        return cls(
            pairs.eigenvalues.cpu().numpy(),
            pairs.residuals.cpu().numpy(),
            pairs.converged.cpu().numpy(),
            np.array(sampling_errors, dtype=np.float64),
        )

    @classmethod
    def unknown(cls, count: int) -> Self:
        """Of which nothing is known."""
        nothing = np.full(count, math.nan)
        return cls(nothing, nothing, np.zeros(count, bool), nothing)

    def where(self, known: NDArray[np.bool_]) -> Self:
        """These where ``known`` is true; the others are unknown."""
        return type(self)(
            np.where(known, self.values, math.nan),
            np.where(known, self.residuals, math.nan),
            self.converged & known,
            np.where(known, self.sampling_errors, math.nan),
        )

    @property
    def bars(self) -> NDArray[np.float64]:
        """Half the lengths of error bars: the sampling errors, or residuals that are larger.

        They are below the magnitudes, so that a logarithmic axis can show them; 0 where neither
        error is known.
        """
        magnitudes = np.abs(self.values)
        errors = np.fmax(self.sampling_errors, self.residuals * magnitudes)
        return np.nan_to_num(np.fmin(errors, 0.999 * magnitudes))

    def take(self, places: Sequence[int]) -> Self:
        """Those at ``places``."""
        chosen = list(places)
        return type(self)(
            self.values[chosen],
            self.residuals[chosen],
            self.converged[chosen],
            self.sampling_errors[chosen],
        )

    @classmethod
    def by_magnitude(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Those of largest magnitude in a result file.

        Files of earlier versions have the sampling error of the first of them alone.
        """
        leading = cls.from_arrays(arrays, "")
        if "sampling_error" not in arrays:
            return leading
        errors = np.full(len(leading.values), math.nan)
        errors[0] = arrays["sampling_error"]
        return replace(leading, sampling_errors=errors)

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        """Those of several, one after the other."""
        names = [field.name for field in fields(cls)]
        columns = [[getattr(each, name) for each in several] for name in names]
        return cls(*map(np.concatenate, columns)) if several else cls.unknown(0)

    @property
    def extremes(self) -> Self:
        """The largest of these and the smallest, of shape (2,)."""
        return self.take([int(self.values.argmax()), int(self.values.argmin())])

    @property
    def ends(self) -> Self:
        """The largest and the smallest, of shape (2,), if these are the largest in magnitude.

        A positive one among these is the largest of all, and a negative one the smallest. Where
        all have one sign the other end is not known.
        """
        ends = self.extremes
        return ends.where(np.array([ends.values[LARGEST] >= 0, ends.values[SMALLEST] <= 0]))

    def headline(self, place: int) -> dict[str, Any]:
        """One by the names of its numbers."""
        return {
            "eigenvalue": self.values[place],
            "residual": self.residuals[place],
            "converged": bool(self.converged[place]),
            "sampling_error": self.sampling_errors[place],
        }

    def arrays(self, unit: str, folder: str, axis: str) -> dict[str, Array]:
        """The arrays of a result file under ``folder``; ``unit`` is that of the loss."""
        return {
            f"{folder}eigenvalues": Array(self.values, unit, (axis,)),
            f"{folder}residuals": Array(self.residuals, "relative", (axis,)),
            f"{folder}converged": Array(self.converged, "", (axis,)),
            f"{folder}sampling_errors": Array(self.sampling_errors, unit, (axis,)),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], folder: str) -> Self:
        """The inverse of :meth:`arrays`; sampling errors are unknown where a file has none."""
        values = arrays[f"{folder}eigenvalues"]
        return cls(
            values,
            arrays[f"{folder}residuals"],
            arrays[f"{folder}converged"].astype(bool),
            arrays.get(f"{folder}sampling_errors", np.full(len(values), math.nan)),
        )


def curvature_units(unit: str) -> dict[str, str]:
    """The units of the headline numbers of eigenvalues and components; ``unit`` is the loss's."""
    return {
        **dict.fromkeys(("eigenvalue", "sampling_error"), unit),
        "residual": "relative",
        "parameters": "parameters",
    }
