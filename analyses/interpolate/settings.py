"""Where on the line between two checkpoints to measure."""

from dataclasses import dataclass

from analyses.slices.grid import Axis, AxisField
from analyses.slices.settings import SliceSettings
from landscape.runtime.options import option


@dataclass(frozen=True)
class Settings(SliceSettings):
    """The coordinates on the line; 0 and 1 are the two checkpoints."""

    x: AxisField = option(
        Axis(-0.2, 1.2, 29), "0 is the first checkpoint, 1 the other", parse=Axis.parse,
        metavar="MIN:MAX:N",
    )  # fmt: skip
