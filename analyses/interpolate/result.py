"""The loss between two checkpoints, and the barrier."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from analyses.interpolate.settings import Settings
from analyses.slices.result import Slice


class Barrier(NamedTuple):
    """The height of a barrier, its standard error, and its place on the line between 0 and 1."""

    height: float
    stderr: float
    place: float


@dataclass(frozen=True)
class Interpolation(Slice):
    """Values of shape (nx,); ``path`` holds the barrier of each split."""

    analysis: ClassVar[str] = "interpolate"
    path_axes: ClassVar[tuple[str, ...]] = ("height, standard error, place",)
    # The two checkpoints.
    marked_x: ClassVar[tuple[float, ...]] = (0.0, 1.0)
    settings_type: ClassVar[type[Any]] = Settings

    def barriers(self) -> dict[str, Barrier]:
        """The barrier of each split; nan where there is no point between the checkpoints."""
        return {split: Barrier(*map(float, self.path[f"{split}_barrier"])) for split in self.splits}

    def headline(self) -> dict[str, Any]:
        """The slice's numbers and the barrier of each split."""
        barriers = {}
        for split, barrier in self.barriers().items():
            barriers[f"{split}_barrier"] = barrier.height
            barriers[f"{split}_barrier_stderr"] = barrier.stderr
            barriers[f"{split}_barrier_at"] = barrier.place
        return {**super().headline(), **barriers}

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        heights = (f"{split}_barrier" for split in self.splits)
        return {
            **super().headline_units(),
            **dict.fromkeys(heights, self.provenance.loss_unit),
        }
