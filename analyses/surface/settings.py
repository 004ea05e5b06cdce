"""The grid of a loss surface and its directions."""

from dataclasses import dataclass

from analyses.slices.grid import Axis, AxisField
from analyses.slices.settings import SliceSettings
from landscape.errors import InputError
from landscape.runtime.options import option


@dataclass(frozen=True)
class Settings(SliceSettings):
    """The grid and its directions.

    Example:
        >>> Settings(x=(-1, 1, 51), y=(-0.5, 0.5, 25)).y.count
        25
    """

    x: AxisField = option(
        Axis(-1.0, 1.0, 51), "coordinates along x", parse=Axis.parse, metavar="MIN:MAX:N"
    )
    y: AxisField = option(
        Axis(-1.0, 1.0, 51), "coordinates along y", parse=Axis.parse, metavar="MIN:MAX:N"
    )
    refine: bool = option(
        False, "measure only where it is needed and interpolate the rest, with its error"
    )
    tolerance: float = option(
        0.01,
        "with --refine: relative error of the loss, root mean square in every part",
        parse=float,
    )

    def __post_init__(self) -> None:
        """Raise InputError for settings that can't be measured."""
        super().__post_init__()
        if not 0 < self.tolerance < 1:
            raise InputError(f"--tolerance has to be between 0 and 1, got {self.tolerance}")
        if self.refine and min(self.x.count, self.y.count) < 5:
            raise InputError("--refine needs a grid of at least 5 points a side")
