"""The loss on a plane through the weights: L(theta + a dx + b dy).

Li, Xu, Taylor, Studer and Goldstein, "Visualizing the Loss Landscape of Neural Nets", NeurIPS
2018. The file's array names and orientation are those of the authors' own tool, with shape
(ny, nx), so that its plotters read it.
"""

from __future__ import annotations

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
    """Evaluate the loss and accuracy on the grid, along ``directions`` or the settings' own.

    The value at (0, 0) equals ``objective.evaluate()`` exactly. A loss that is nan or inf is
    recorded as it is. With a folder to ``context`` in, an interrupted surface goes on where it was.
    """
    grid = Grid(
        settings.x.coordinates,
        settings.y.coordinates,
        settings.tolerance if settings.refine else None,
    )
    found = measure_slice(Surface, objective, settings, grid, context, directions)
    assert isinstance(found, Surface)
    return found
