"""The sharpness at the saved epochs of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.sharpness.settings import Settings
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

COLUMNS = (
    "epoch",
    "eigenvalue",
    "residual",
    "sampling_error",
    "smallest",
    "smallest_residual",
    "smallest_sampling_error",
    "loss",
    "gradient_norm",
    "cosine",
    "lr",
    "edge",
)
# What files of earlier versions do not have.
ADDED = ("sampling_error", "smallest", "smallest_residual", "smallest_sampling_error")


@dataclass(frozen=True)
class Sharpness(Result):
    """``table`` has shape (epochs, 12) and the columns :data:`COLUMNS`; unknown values are nan.

    ``eigenvalue`` is the largest of the Hessian, lambda_max, and ``smallest`` is lambda_min, an
    upper bound as far as its residual leaves it open; each has a relative residual and a sampling
    error of its own.
    """

    table: NDArray[np.float64]

    analysis: ClassVar[str] = "sharpness"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("epoch",)

    def column(self, name: str) -> NDArray[np.float64]:
        """One of :data:`COLUMNS`, of shape (epochs,)."""
        return np.asarray(self.table[:, COLUMNS.index(name)])

    def arrays(self) -> dict[str, Array]:
        """The columns by name."""
        unit = self.provenance.loss_unit
        without_unit = {"epoch", "residual", "smallest_residual", "cosine", "lr"}
        units = {name: unit for name in COLUMNS if name not in without_unit}
        units |= dict.fromkeys(("residual", "smallest_residual"), "relative")
        return {
            name: Array(self.column(name), units.get(name, ""), ("saved epoch",))
            for name in COLUMNS
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        unknown = np.full(len(arrays["epoch"]), np.nan)
        columns = {name: arrays[name] for name in COLUMNS if name not in ADDED}
        columns |= {name: arrays.get(name, unknown) for name in ADDED}
        if "smallest" not in arrays:
            # The eigenvalue was that of largest magnitude: a negative one is the smallest.
            is_smallest = columns["eigenvalue"] < 0
            for end, name in (("smallest", "eigenvalue"), ("smallest_residual", "residual")):
                columns[end] = np.where(is_smallest, columns[name], np.nan)
                columns[name] = np.where(is_smallest, np.nan, columns[name])
        return cls(
            np.stack([columns[name] for name in COLUMNS], 1),
            label=label,
            settings=settings,
            provenance=provenance,
        )

    def headline(self) -> dict[str, Any]:
        """The columns by name, and the seconds."""
        return {
            **{name: self.column(name) for name in COLUMNS},
            "seconds": self.provenance.seconds,
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        return {"seconds": "s"}
