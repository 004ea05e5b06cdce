"""The loss on the straight line between two checkpoints, and the barrier between them.

The barrier is the largest height of the loss above the straight line between its values at the two
ends (Frankle et al., ICML 2020, section 2; Entezari et al., ICLR 2022, definition 2.1).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from analyses.interpolate.result import Interpolation
from analyses.interpolate.settings import Settings
from analyses.run_context import RunContext
from analyses.slices.directions import make_directions
from analyses.slices.grid import Grid
from analyses.slices.measure import measure_slice
from analyses.slices.result import Slice
from landscape.directions.direction import Direction
from landscape.errors import InputError
from landscape.objective.objective import Objective
from landscape.slices.evaluator import PointEvaluator


def measure(
    objective: Objective,
    settings: Settings,
    context: RunContext,
    *,
    direction: Direction | None = None,
) -> Interpolation:
    """From the objective's weights to those of ``settings.toward_x``, or along ``direction``.

    The barrier's error is that of the mean over samples of l(t) - (1 - t) l(0) - t l(1), with the
    per-sample losses l of the same samples at all three points, which is much less than the
    errors of the three losses together. Raises InputError where there is no other checkpoint.
    """
    if direction is None and not settings.toward_x:
        raise InputError("an interpolation needs two checkpoints")
    (along,) = [direction] if direction is not None else make_directions(objective, settings, 1)
    xs = settings.x.coordinates
    found = measure_slice(Interpolation, objective, settings, Grid(xs), context, [along])
    assert isinstance(found, Interpolation)
    evaluator = PointEvaluator(objective, [along], found.split, bn=settings.bn)
    try:
        path = {f"{s}_barrier": _barrier(evaluator, found, s) for s in found.splits}
    finally:
        evaluator.close()
    return replace(found, path=path)


def _barrier(evaluator: PointEvaluator, found: Slice, split: str) -> np.ndarray[Any, Any]:
    """Height, standard error and place on [0, 1] of the highest point above the chord."""

    def losses_at(x: float) -> tuple[float, np.ndarray[Any, Any] | None]:
        evaluator.place((x,))
        return evaluator.evaluate_here(plain=True)[split].loss, evaluator.losses_here(split)

    start, each_start = losses_at(0.0)
    end, each_end = losses_at(1.0)
    inside = (found.x > 0) & (found.x < 1)
    xs, loss = found.x[inside], found.values[f"{split}_loss"][inside]
    if not len(xs):
        return np.array([np.nan, np.nan, np.nan])
    heights = loss - (1 - xs) * start - xs * end
    if np.isnan(heights).all():
        return np.array([np.nan, np.nan, np.nan])
    place = float(xs[np.nanargmax(heights)])
    mean, each = losses_at(place)
    height = mean - (1 - place) * start - place * end
    if each is None or each_start is None or each_end is None or len(each) < 2:
        return np.array([height, np.nan, place])
    paired = each - (1 - place) * each_start - place * each_end
    return np.array([height, paired.std(ddof=1) / np.sqrt(len(paired)), place])
