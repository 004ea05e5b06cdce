"""Where on the line between two checkpoints to measure."""

from dataclasses import dataclass

from analyses.slices.grid import Axis, AxisField
from analyses.slices.settings import SliceSettings
from landscape.errors import InputError
from landscape.runtime.options import option


@dataclass(frozen=True)
class Settings(SliceSettings):
    """The coordinates on the line; 0 and 1 are the two checkpoints."""

    x: AxisField = option(
        Axis(-0.2, 1.2, 29), "0 is the first checkpoint, 1 the other", parse=Axis.parse,
        metavar="MIN:MAX:N",
    )  # fmt: skip

    def check_used(self) -> None:
        """Raise InputError for settings of random lines, which have no effect between two ends."""
        defaults = type(self)()
        for name in ("directions", "normalize", "policy", "perturb"):
            if getattr(self, name) != getattr(defaults, name):
                raise InputError(
                    f"--{name} has no effect on an interpolation, whose line leads from one "
                    "checkpoint to the other; leave it out"
                )
