"""The loss along a line through the weights: L(theta + a d), the 1D form of the surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from analyses.grid import Axis, Grid
from analyses.slice_result import Slice
from analyses.slice_settings import SliceSettings
from analyses.slicing import measure_slice
from landscape.directions import Direction
from landscape.objective import Objective
from landscape.options import option
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Loss along a line"
SUMMARY = "the loss along one direction through the weights"
READING = {
    "": (
        "The loss as the weights move along one direction; 0 is the trained network. A wide "
        "valley means a flat minimum, steep walls a sharp one. A random line is one cut of very "
        "many, so small differences between curves mean little; where several were drawn, the "
        "band holds them all and the curve is their mean. The lighter band about a single curve "
        "is twice the sampling error of the loss."
    )
}


@dataclass(frozen=True)
class Settings(SliceSettings):
    """The coordinates and the direction."""

    x: Axis = option(
        Axis(-1.0, 1.0, 51), "coordinates along x", parse=Axis.parse, metavar="MIN:MAX:N"
    )


@dataclass(frozen=True)
class Line(Slice):
    """Values of shape (nx,)."""

    analysis: ClassVar[str] = "line"
    settings_type: ClassVar[type[Any]] = Settings

    def headline(self) -> dict[str, Any]:
        """The slice's numbers and the loss at both ends."""
        ends = {"loss_at_start": self.loss[0], "loss_at_end": self.loss[-1]}
        return {**super().headline(), **ends}


def compute(
    objective: Objective,
    settings: Settings | None = None,
    work: Work = IN_MEMORY,
    *,
    direction: Direction | None = None,
) -> Line:
    """Evaluate the loss and accuracy along the line; at 0 exactly ``objective.evaluate()``."""
    settings = settings or Settings()
    directions = None if direction is None else [direction]
    grid = Grid(settings.x.coordinates)
    found = measure_slice(Line, objective, settings, grid, work, directions)
    assert isinstance(found, Line)
    return found


def tabulate(results: Sequence[Slice]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    from analyses.style import number, with_error

    return {
        "": [
            {
                "checkpoint": result.label,
                f"{result.split} loss at 0, ± sampling error": with_error(
                    result.own_loss, result.loss_stderr
                ),
                f"loss at {result.x[0]:g}": number(float(result.loss[0])),
                f"loss at {result.x[-1]:g}": number(float(result.loss[-1])),
            }
            for result in results
        ]
    }


def draw(results: Sequence[Slice], look: Look | None = None) -> dict[str, Figure]:
    """All checkpoints' losses on one pair of axes, and their accuracies on another."""
    from analyses.line_figures import curves

    return {"line": curves(results, "distance along the direction", look)}
