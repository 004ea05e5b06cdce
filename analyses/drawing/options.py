"""The options of pictures, which are flags of the command."""

import re
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_numbers, option

FORMATS = ("png", "pdf", "svg", "pgf")
# The formats of surfaces for other viewers.
EXPORTS = ("interactive", "vts", "vtp")

# Inches of a unit; a point is LaTeX's.
_UNITS = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}
# Of a page in inches: less has no room for texts, more is no page.
NARROWEST, WIDEST = 1.5, 60.0


def length(text: str) -> float:
    """Read a width such as 3.25in, 84mm or 246pt as inches.

    Example:
        >>> length("254mm")
        10.0
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)(in|cm|mm|pt)", text.strip())
    if match is None:
        raise InputError(f"expected a width such as 3.25in, 8.4cm, 84mm or 246pt, got {text!r}")
    return float(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True)
class PageOptions:
    """How all pictures look."""

    style: str = option(
        "",
        "a style sheet of matplotlib, over the project's style: FILE.mplstyle, or the name of one "
        "that matplotlib has",
        metavar="NAME|FILE",
    )
    width: float | None = option(
        None,
        "width of every picture, such as a column's 3.25in or 84mm: laid out at that width, in "
        "fewer columns of panels where they would be narrow, with texts of the same size",
        parse=length,
        metavar="WIDTH",
    )

    def __post_init__(self) -> None:
        """Raise InputError for a width that no page has."""
        if self.width is not None and not NARROWEST <= self.width <= WIDEST:
            raise InputError(
                f"--width has to be from {NARROWEST:g}in to {WIDEST:g}in, got {self.width:.3g}in"
            )


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
