"""The loss along a line through the weights: L(theta + a d), the 1D form of the surface."""

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
    """Evaluate the loss and accuracy along the line.

    The value at 0 equals ``objective.evaluate()`` exactly. Non-finite losses are recorded
    unchanged.

    Args:
        objective: the loss.
        settings: the coordinates and, unless ``direction`` is given, where it comes from.
        context: the ranks that share the work, where finished points are kept, and the watcher.
        direction: the direction, in place of the settings' own.

    Returns:
        The line, the same in every rank.

    Raises:
        InputError: if the direction does not fit the model, or if the device does not have the
            precision that is asked for.

    Example:
        >>> from analyses import line
        >>> line.compute(objective, line.Settings(x=(-1, 1, 5))).loss.shape
        (5,)
    """
    directions = None if direction is None else [direction]
    grid = Grid.of(settings.x, repeats=settings.repeats)
    return measure_slice(Line, objective, settings, grid, context, directions)
