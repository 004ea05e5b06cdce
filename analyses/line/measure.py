"""The loss along a line through the weights: L(theta + a d), the 1D form of the surface."""

from __future__ import annotations

from analyses.line.result import Line
from analyses.line.settings import Settings
from analyses.run_context import RunContext
from analyses.slices.grid import Grid
from analyses.slices.measure import measure_slice
from landscape.directions.direction import Direction
from landscape.objective.objective import Objective


def measure(
    objective: Objective,
    settings: Settings,
    context: RunContext,
    *,
    direction: Direction | None = None,
) -> Line:
    """Evaluate the loss and accuracy along the line; at 0 exactly ``objective.evaluate()``."""
    directions = None if direction is None else [direction]
    grid = Grid(settings.x.coordinates)
    found = measure_slice(Line, objective, settings, grid, context, directions)
    assert isinstance(found, Line)
    return found
