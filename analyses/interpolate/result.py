"""The loss between two checkpoints, and the barrier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from analyses.slices.result import Slice

if TYPE_CHECKING:
    pass
from analyses.interpolate.settings import Settings


@dataclass(frozen=True)
class Interpolation(Slice):
    """Values of shape (nx,), and the barrier in ``path`` for each split."""

    analysis: ClassVar[str] = "interpolate"
    path_axes: ClassVar[tuple[str, ...]] = ("height, standard error, place",)
    settings_type: ClassVar[type[Any]] = Settings

    def barriers(self) -> dict[str, tuple[float, float, float]]:
        """For each split the height of the barrier, its standard error, and where it is."""
        found = {}
        for split in self.splits:
            height, error, place = (float(v) for v in self.path[f"{split}_barrier"])
            found[split] = height, error, place
        return found

    def headline(self) -> dict[str, Any]:
        """The slice's numbers and each split's barrier."""
        barriers = {
            f"{split}_{name}": value
            for split, found in self.barriers().items()
            for name, value in zip(("barrier", "barrier_stderr", "barrier_at"), found, strict=True)
        }
        return {**super().headline(), **barriers}
