"""The loss on the straight line between two checkpoints, and the barrier between them.

The barrier is the largest height of the loss above the straight line between its values at the two
ends, of which both heights are 0 (Frankle et al., ICML 2020, section 2; Entezari et al., ICLR 2022,
definition 2.1).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analyses.interpolate.result import Interpolation
from analyses.interpolate.settings import Settings
from analyses.run_context import RunContext
from analyses.slices.directions import make_directions
from analyses.slices.grid import Grid
from analyses.slices.measure import measure_slice
from landscape.directions.direction import Direction
from landscape.errors import InputError
from landscape.estimates import Estimate
from landscape.objective.objective import Objective
from landscape.slices.evaluator import PointEvaluator

Floats = NDArray[np.float64]

NO_BARRIER = (np.nan, np.nan, np.nan)


def measure(
    objective: Objective,
    settings: Settings,
    context: RunContext,
    *,
    direction: Direction | None = None,
) -> Interpolation:
    """Evaluate the loss and accuracy between two checkpoints, and the height of the barrier.

    The barrier's error is that of the mean over samples of l(t) - (1 - t) l(0) - t l(1), with the
    per-sample losses l of the same samples at all three points. It is much smaller than the
    errors of the three losses together.

    Args:
        objective: the loss; its weights are the first checkpoint, at 0.
        settings: the coordinates, and in ``toward_x`` the other checkpoint, at 1.
        context: the ranks that share the work, where finished points are kept, and the watcher.
        direction: from the first checkpoint to the other, in place of ``settings.toward_x``.

    Returns:
        The interpolation, the same in every rank.

    Raises:
        InputError: if there is no other checkpoint, or if it does not fit the model.

    Example:
        >>> from analyses import interpolate
        >>> result = interpolate.compute(objective, direction=direction)
        >>> list(result.barriers())
        ['train']
    """
    settings.check_used()
    if direction is None:
        if not settings.toward_x:
            raise InputError("an interpolation needs two checkpoints")
        (direction,) = make_directions(objective, settings, 1)
    grid = Grid.of(settings.x, repeats=settings.repeats)
    result = measure_slice(Interpolation, objective, settings, grid, context, [direction])
    evaluator = PointEvaluator(objective, [direction], result.split, bn=settings.bn)
    try:
        barriers = {
            f"{split}_barrier": np.array(_barrier(evaluator, result, split))
            for split in result.splits
        }
    finally:
        evaluator.close()
    return replace(result, path=barriers)


def _barrier(
    evaluator: PointEvaluator, result: Interpolation, split: str
) -> tuple[float, float, float]:
    """Height, standard error and place on [0, 1] of the highest point above the chord.

    Where no point between is above it, the height is 0, that of the ends, and the place the first
    of them. The error is that of the highest point between in any case: so much may it be above.
    """

    def losses_at(x: float) -> tuple[float, Floats | None]:
        evaluator.place((x,))
        return evaluator.evaluate_here(plain=True)[split].loss, evaluator.losses_here(split)

    start, start_losses = losses_at(0.0)
    end, end_losses = losses_at(1.0)
    inside = (result.x > 0) & (result.x < 1)
    xs, loss = result.x[inside], result.values[f"{split}_loss"][inside]
    heights = loss - (1 - xs) * start - xs * end
    if np.isnan(heights).all():  # also where no point lies between
        return NO_BARRIER
    place = float(xs[np.nanargmax(heights)])
    mean, losses = losses_at(place)
    stderr = np.nan
    if not (losses is None or start_losses is None or end_losses is None):
        stderr = Estimate.of(losses - (1 - place) * start_losses - place * end_losses).stderr
    height = mean - (1 - place) * start - place * end
    return (height, stderr, place) if height > 0 else (0.0, stderr, 0.0)
