"""Measure a line or plane: shared over ranks, resumed, refined and repeated as asked."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.run_context import RunContext
from analyses.slices.bounds import bounds_of
from analyses.slices.directions import make_directions
from analyses.slices.grid import Floats, Grid
from analyses.slices.points import SlicePoints
from analyses.slices.result import Slice
from analyses.slices.settings import SliceSettings
from analyses.slices.tensors import tensor_table
from landscape.data.settings import canonical_split
from landscape.directions.direction import Direction, cosine
from landscape.directions.files import direction_arrays
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.results.fingerprint import fingerprint
from landscape.results.hashing import hash_tensors
from landscape.results.journal import Key, Values
from landscape.results.value_names import is_of_a_loss
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.order import coarse_to_fine
from landscape.slices.point_queue import PointQueue
from landscape.slices.refinement import Refinement

LOGGER = logging.getLogger(__name__)

DIRECTION_NAMES = ("xdirection", "ydirection")

SliceResult = TypeVar("SliceResult", bound=Slice)


@dataclass(frozen=True)
class MeasuredPoints:
    """The values of one repeat, of shape (ny, nx) by name.

    ``measured`` says where they were measured. Elsewhere they are interpolated. ``errors`` has the
    standard errors of interpolation and of faster arithmetic; those of the names in ``relative``
    are relative to the values.
    """

    values: dict[str, Floats]
    measured: NDArray[np.bool_]
    errors: dict[str, Floats] = field(default_factory=dict)
    relative: tuple[str, ...] = ()


def measure_slice(
    kind: type[SliceResult],
    objective: Objective,
    settings: SliceSettings,
    grid: Grid,
    context: RunContext,
    directions: Sequence[Direction] | None = None,
    path: dict[str, NDArray[Any]] | None = None,
) -> SliceResult:
    """Measure every point of ``grid``.

    Args:
        kind: the class of the result.
        objective: the loss.
        settings: where the directions come from and what is measured at every point.
        grid: the coordinates.
        context: the ranks that share the work, where finished points are kept, and the watcher
            that is shown the unfinished result.
        directions: used in place of those that the settings ask for.
        path: arrays of the result that are measured elsewhere.

    Returns:
        A result of class ``kind`` without label, settings and provenance; the same in every rank.

    Raises:
        InputError: if the directions don't fit the model, if given ones are to be repeated, or if
            the device does not have the precision that is asked for.
        NotMeasurableError: if a direction of random weights, a gradient or a file is 0.
    """
    is_drawn = directions is None
    if not is_drawn and settings.repeats > 1:
        raise InputError(
            f"repeats={settings.repeats} draws random directions, and these are given; leave out "
            "either"
        )
    directions = list(directions or make_directions(objective, settings, len(grid.sides)))
    _check_moving(directions, settings, is_drawn=is_drawn)
    split = canonical_split(objective.origin.get("split", "train"))
    points = SlicePoints(objective, settings, grid, split, directions)
    with points:
        description = _describe(objective, settings, grid, directions, is_drawn=is_drawn)
        unlabelled = partial(kind, split=split, path=path or {}, **description)
        preview = partial(_preview, context, objective, settings, points, grid, unlabelled)
        queue = PointQueue(
            _question(objective, settings, grid, directions),
            context.journal(kind.analysis),
            context.ranks,
            task=f"{kind.analysis} of {objective.label or 'model'} (points)",
            less="take fewer points (the N of MIN:MAX:N) or lower --samples",
            on_progress=preview,
        )
        try:
            _decide_mode(queue, points, context)
            at_origin, dof = points.values_at_origin(), points.error_dof()
            repeats = [
                _measure_repeat(queue, points, grid, repeat) for repeat in range(settings.repeats)
            ]
            queue.finish()
        finally:
            queue.close()
    first = repeats[0]
    return unlabelled(
        at_origin=at_origin,
        dof=dof,
        mode=points.mode_record,
        values=_squeezed(grid, first.values),
        errors=_squeezed(grid, first.errors),
        relative_errors=first.relative,
        measured=grid.squeeze(first.measured),
        repeats={
            name: grid.squeeze(np.stack([repeat.values[name] for repeat in repeats]))
            for name in (first.values if settings.repeats > 1 else ())
        },
    )


def _check_moving(
    directions: Sequence[Direction], settings: SliceSettings, *, is_drawn: bool
) -> None:
    """Refuse directions along which nothing moves; those toward equal weights are told of."""
    for axis, direction, kind in zip("xy", directions, settings.axis_kinds, strict=False):
        statistics = direction.statistics
        if direction.vector.any() or (statistics is not None and statistics.any()):
            continue
        if not is_drawn or kind == "toward":
            LOGGER.info(f"the {axis} direction is 0 (of equal weights?): nothing moves along it")
            continue
        raise NotMeasurableError(
            f"the {axis} direction ({kind}) is 0, so that nothing would move along it; choose what "
            "moves with --policy all or --perturb"
        )


def _question(
    objective: Objective, settings: SliceSettings, grid: Grid, directions: Sequence[Direction]
) -> dict[str, Any]:
    """The fingerprint of the slice, under which its points are kept."""
    provenance = objective.provenance(0.0)
    return {
        **fingerprint(settings, provenance),
        "coordinates": hash_tensors(map(torch.from_numpy, grid.sides)),
        "vectors": hash_tensors(direction.vector for direction in directions),
        # Batch size and device affect rounding, which must be the same at all points.
        "batch_size": objective.batches[0].size,
        "device": provenance.device,
    }


def _describe(
    objective: Objective,
    settings: SliceSettings,
    grid: Grid,
    directions: Sequence[Direction],
    *,
    is_drawn: bool,
) -> dict[str, Any]:
    """The fields of the result that are known before any point is measured."""
    named = zip(DIRECTION_NAMES, directions, strict=False)
    tensors = [direction_arrays(direction, name, objective.module) for name, direction in named]
    vectors = [direction.vector for direction in directions]
    return {
        "x": grid.xs,
        "y": grid.ys,
        "directions": {key: array for arrays in tensors for key, array in arrays.items()},
        "direction_cosine": cosine(*vectors) if len(vectors) == 2 else 1.0,
        "tensors": tensor_table(objective, settings, directions, is_drawn=is_drawn),
    }


def _decide_mode(queue: PointQueue, points: SlicePoints, context: RunContext) -> None:
    """Choose the evaluation mode by measurement, or reuse that of a slice that is resumed."""
    if queue.decisions is None:
        queue.begin(asdict(points.choose_mode()) if context.ranks.is_first else {})
    else:
        queue.begin(queue.decisions)
    assert queue.decisions is not None
    points.mode = EvaluationMode(**queue.decisions)


def _preview(
    context: RunContext,
    objective: Objective,
    settings: SliceSettings,
    points: SlicePoints,
    grid: Grid,
    unlabelled: Callable[..., Slice],
    visible_points: Callable[[], dict[Key, Values]],
) -> None:
    """Show the unfinished slice to the watcher, if it is due."""
    if context.watch is None or not context.watch.is_due:
        return
    known = visible_points()
    measured = np.zeros(grid.shape, dtype=bool)
    for repeat, row, column in known:
        measured[row, column] |= repeat == 0
    context.watch(
        unlabelled(
            label=objective.label,
            settings=settings,
            provenance=objective.provenance(0.0),
            at_origin=points.values_at_origin(),
            dof=points.error_dof(),
            mode=points.mode_record,
            values=_squeezed(grid, grid.arrange(points.names, known, 0)),
            measured=grid.squeeze(measured),
        )
    )


def _measure_repeat(
    queue: PointQueue, points: SlicePoints, grid: Grid, repeat: int
) -> MeasuredPoints:
    """Measure the grid along one set of directions: all points, or those refinement chooses."""
    rows, columns = grid.shape
    if grid.tolerance is None:
        order = [(repeat, row, column) for row, column in coarse_to_fine(rows, columns)]
        queue.measure_together(_groups(order, points), points.together)
        values = grid.arrange(points.names, queue.shared_values(order), repeat)
        return MeasuredPoints(values, np.ones((rows, columns), dtype=bool))
    noise = points.mode.noise
    refinement = Refinement(rows, columns, grid.tolerance, noise.get(points.names[0], 0.0))
    cells = refinement.first()
    while cells:
        order = [(repeat, row, column) for row, column in cells]
        queue.measure_together(_groups(order, points), points.together)
        losses = {
            (row, column): float(values[0])
            for (_, row, column), values in queue.shared_values(order).items()
        }
        refinement.add(losses)
        cells = refinement.next()
    known = [(repeat, int(row), int(column)) for row, column in np.argwhere(refinement.measured)]
    filled = {
        name: refinement.fill(
            values,
            logarithmic=is_of_a_loss(name),
            noise=noise.get(name, 0.0),
            bounds=bounds_of(name, points.splits),
        )
        for name, values in grid.arrange(points.names, queue.shared_values(known), repeat).items()
    }
    return MeasuredPoints(
        {name: interpolation.values for name, interpolation in filled.items()},
        refinement.measured,
        {name: interpolation.error for name, interpolation in filled.items()},
        tuple(name for name, interpolation in filled.items() if interpolation.relative),
    )


def _groups(order: Sequence[Key], points: SlicePoints) -> list[Sequence[Key]]:
    """The points in groups that are evaluated together, by their place in the order alone."""
    size = points.mode.points
    return [order[start : start + size] for start in range(0, len(order), size)]


def _squeezed(grid: Grid, arrays: dict[str, Floats]) -> dict[str, Floats]:
    return {name: grid.squeeze(values) for name, values in arrays.items()}
