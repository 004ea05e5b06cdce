"""The options of pictures, which are flags of the command."""

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_numbers, option

FORMATS = ("png", "pdf", "svg")
# The formats of surfaces for other viewers.
EXPORTS = ("interactive", "vts", "vtp")


@dataclass(frozen=True)
class PlotOptions:
    """How surfaces and lines are shown."""

    scale: str = option(
        "auto",
        "scale of the loss; auto: log where the losses span more than a factor of ten",
        choices=("auto", "log", "linear"),
    )
    zmin: float | None = option(None, "lowest loss of the colour and height scale", parse=float)
    zmax: float | None = option(None, "highest loss of the colour and height scale", parse=float)

    def __post_init__(self) -> None:
        """Raise InputError if the range is empty or can't be shown on a logarithmic scale."""
        if self.zmin is not None and self.zmax is not None and not self.zmin < self.zmax:
            raise InputError(f"--zmin has to be less than --zmax, got {self.zmin} and {self.zmax}")
        if self.scale == "log" and any(
            end is not None and end <= 0 for end in (self.zmin, self.zmax)
        ):
            raise InputError("--scale log needs --zmin and --zmax above 0")
        check_numbers(self)
