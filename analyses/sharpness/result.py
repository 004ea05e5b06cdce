"""The sharpness at the saved epochs of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

if TYPE_CHECKING:
    pass
from analyses.sharpness.settings import Settings

COLUMNS = ("epoch", "eigenvalue", "residual", "loss", "gradient_norm", "cosine", "lr", "edge")


@dataclass(frozen=True)
class Sharpness(Result):
    """``table`` of shape (epochs, 8) with the columns :data:`COLUMNS`; nan where not known."""

    table: NDArray[np.float64]

    analysis: ClassVar[str] = "sharpness"
    settings_type: ClassVar[type[Any]] = Settings

    def column(self, name: str) -> NDArray[np.float64]:
        """One of the columns."""
        return np.asarray(self.table[:, COLUMNS.index(name)])

    def arrays(self) -> dict[str, Array]:
        """Each column by its name."""
        unit = self.provenance.loss_unit
        units = {"eigenvalue": unit, "loss": unit, "gradient_norm": unit, "edge": unit}
        return {
            name: Array(self.column(name), units.get(name, ""), ("saved epoch",))
            for name in COLUMNS
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(
            np.stack([arrays[name] for name in COLUMNS], 1),
            label=label,
            settings=settings,
            provenance=provenance,
        )

    def headline(self) -> dict[str, Any]:
        """Every column."""
        return {
            **{name: self.column(name) for name in COLUMNS},
            "seconds": self.provenance.seconds,
        }
