"""The loss on a plane through the weights: L(theta + a dx + b dy).

Li, Xu, Taylor, Studer and Goldstein, "Visualizing the Loss Landscape of Neural Nets", NeurIPS
2018. The file's array names and orientation are those of the authors' own tool, with shape
(ny, nx), so that its plotters read it.
"""

from analyses.run_context import RunContext
from analyses.slices.grid import Grid
from analyses.slices.measure import measure_slice
from analyses.surface.result import Surface
from analyses.surface.settings import Settings
from landscape.directions.direction import Direction
from landscape.objective.objective import Objective


def measure(
    objective: Objective,
    settings: Settings,
    context: RunContext,
    *,
    directions: tuple[Direction, Direction] | None = None,
) -> Surface:
    """Evaluate the loss and accuracy on the grid.

    The value at (0, 0) equals ``objective.evaluate()`` exactly. Non-finite losses are recorded
    unchanged. With a folder in ``context``, an interrupted surface is resumed.

    Args:
        objective: the loss.
        settings: the grid and, unless ``directions`` are given, where the directions come from.
        context: the ranks that share the work, where finished points are kept, and the watcher.
        directions: the x and the y direction, in place of the settings' own.

    Returns:
        The surface, the same in every rank.

    Raises:
        InputError: if the directions don't fit the model, or if the device does not have the
            precision that is asked for.

    Example:
        >>> from analyses import surface
        >>> surface.compute(objective, surface.Settings(x=(-1, 1, 5), y=(-1, 1, 3))).loss.shape
        (3, 5)
    """
    tolerance = settings.tolerance if settings.refine else None
    grid = Grid.of(
        settings.x, settings.y, tolerance, settings.repeats, exact_points=settings.exact_points
    )
    return measure_slice(Surface, objective, settings, grid, context, directions)
