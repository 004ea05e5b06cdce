"""The coordinates of a line and its direction."""

from dataclasses import dataclass

from analyses.slices.grid import Axis, AxisField
from analyses.slices.settings import SliceSettings
from landscape.runtime.options import option


@dataclass(frozen=True)
class Settings(SliceSettings):
    """The coordinates and the direction.

    Example:
        >>> Settings(x=(-1, 1, 11)).x.count
        11
    """

    x: AxisField = option(
        Axis(-1.0, 1.0, 51), "coordinates along x", parse=Axis.parse, metavar="MIN:MAX:N"
    )
