"""The loss on a plane through the weights: L(theta + a dx + b dy).

Li, Xu, Taylor, Studer and Goldstein, "Visualizing the Loss Landscape of Neural Nets", NeurIPS
2018. The file's array names and orientation are those of the authors' own tool, with shape
(ny, nx), so that its plotters read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from analyses.grid import Axis, Grid
from analyses.slice_result import Slice
from analyses.slice_settings import SliceSettings
from analyses.slicing import measure_slice
from landscape.directions import Direction
from landscape.errors import InputError
from landscape.objective import Objective
from landscape.options import option
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Loss surface"
SUMMARY = "the loss on a plane through the weights, along two directions"
READING = {
    "": (
        "Each picture shows the loss as the weights move away from the trained network (marked) "
        "along two directions; random ones are scaled filter by filter, so that networks with "
        "larger weights don't look flatter. Tightly packed contours mean that small changes of "
        "the weights raise the loss quickly: a sharp minimum; wide spacing means a flat one."
    )
}


@dataclass(frozen=True)
class Settings(SliceSettings):
    """The grid and its directions."""

    x: Axis = option(
        Axis(-1.0, 1.0, 51), "coordinates along x", parse=Axis.parse, metavar="MIN:MAX:N"
    )
    y: Axis = option(
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


@dataclass(frozen=True)
class Surface(Slice):
    """Values of shape (ny, nx)."""

    analysis: ClassVar[str] = "surface"
    settings_type: ClassVar[type[Any]] = Settings


def compute(
    objective: Objective,
    settings: Settings | None = None,
    work: Work = IN_MEMORY,
    *,
    directions: tuple[Direction, Direction] | None = None,
) -> Surface:
    """Evaluate the loss and accuracy on the grid, along ``directions`` or the settings' own.

    The value at (0, 0) equals ``objective.evaluate()`` exactly. A loss that is nan or inf is
    recorded as it is. With a folder to ``work`` in, an interrupted surface goes on where it was.
    """
    settings = settings or Settings()
    grid = Grid(
        settings.x.coordinates,
        settings.y.coordinates,
        settings.tolerance if settings.refine else None,
    )
    found = measure_slice(Surface, objective, settings, grid, work, directions)
    assert isinstance(found, Surface)
    return found


def tabulate(results: Sequence[Slice]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    from analyses.style import number, with_error

    rows = []
    for result in results:
        row = {"checkpoint": result.label}
        for split in result.splits:
            loss, error = (result.own.get(f"{split}_{n}", float("nan")) for n in _OF_LOSS)
            row[f"{split} loss, ± sampling error"] = with_error(loss, error)
            row[f"{split} accuracy, %"] = number(result.own.get(f"{split}_acc", float("nan")))
        headline = result.headline()
        row["mean loss over the plane"] = number(float(headline["mean_loss"]))
        row["largest loss on the plane"] = number(float(headline["max_loss"]))
        row["points measured"] = f"{headline['measured']:,} of {headline['points']:,}"
        rows.append(row)
    return {"": rows}


_OF_LOSS = ("loss", "loss_stderr")


def draw(results: Sequence[Slice], look: Look | None = None) -> dict[str, Figure]:
    """Contours and 3D surfaces on one scale, and maps of what else there is."""
    from analyses.surface_figures import all_figures

    return all_figures(results, look)
