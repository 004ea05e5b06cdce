"""The grid of a loss surface and its directions."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from analyses.slices.grid import Axis, AxisField
from analyses.slices.settings import PlaneSettings
from landscape.errors import InputError
from landscape.runtime.options import option

# Points along a side from which on a report refines: smaller grids are measured nearly as a whole.
REFINED_SIDE = 25


@dataclass(frozen=True)
class Settings(PlaneSettings):
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
        False,
        "measure only where it is needed and interpolate the rest, with its error; a report does "
        f"so from {REFINED_SIDE} points a side on, --no-refine measures them all",
    )
    tolerance: float = option(
        0.01,
        "with --refine: relative error of the loss, root mean square in every part",
        parse=float,
    )
    exact_points: bool = option(
        False,
        "with --refine: measure points in the arithmetic of --precision, and not in a faster one "
        "whose measured error is below a third of --tolerance",
    )

    def __post_init__(self) -> None:
        """Raise InputError for settings that can't be measured."""
        super().__post_init__()
        if not 0 < self.tolerance < 1:
            raise InputError(f"--tolerance has to be between 0 and 1, got {self.tolerance}")
        if self.refine and min(self.x.count, self.y.count) < 5:
            raise InputError("--refine needs a grid of at least 5 points a side")


def on_screen(settings: Settings, given: Collection[str]) -> Settings:
    """The settings for a report: refined, unless ``refine`` was given or the grid is small."""
    is_large = min(settings.x.count, settings.y.count) >= REFINED_SIDE
    return replace(settings, refine=True) if is_large and "refine" not in given else settings


def answered_by(asked: Settings, stored: Settings) -> Settings:
    """The settings with which a stored surface answers: every point of a refined one may be exact.

    Args:
        asked: those that are asked for.
        stored: those that the surface was measured with.
    """
    if asked.refine and not stored.refine:
        return replace(
            asked,
            refine=False,
            tolerance=stored.tolerance,
            exact_points=stored.exact_points,
        )
    return asked
