"""The sharpness at the saved epochs of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.sharpness.settings import Settings
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

COLUMNS = ("epoch", "eigenvalue", "residual", "loss", "gradient_norm", "cosine", "lr", "edge")


@dataclass(frozen=True)
class Sharpness(Result):
    """``table`` has shape (epochs, 8) and the columns :data:`COLUMNS`; unknown values are nan."""

    table: NDArray[np.float64]

    analysis: ClassVar[str] = "sharpness"
    settings_type: ClassVar[type[Any]] = Settings

    def column(self, name: str) -> NDArray[np.float64]:
        """One of :data:`COLUMNS`, of shape (epochs,)."""
        return np.asarray(self.table[:, COLUMNS.index(name)])

    def arrays(self) -> dict[str, Array]:
        """The columns by name."""
        unit = self.provenance.loss_unit
        units = dict.fromkeys(("eigenvalue", "loss", "gradient_norm", "edge"), unit)
        units["residual"] = "relative"
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
        """The columns by name, and the seconds."""
        return {
            **{name: self.column(name) for name in COLUMNS},
            "seconds": self.provenance.seconds,
        }
