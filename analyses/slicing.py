"""Measuring a line or plane: the points in their order, shared, kept, refined and repeated."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.grid import Floats, Grid
from analyses.slice_points import SlicePoints
from analyses.slice_result import Slice
from analyses.slice_settings import SliceSettings, make_directions
from landscape.data.catalog import canonical_split
from landscape.direction_files import direction_arrays
from landscape.directions import Direction, cosine
from landscape.hashing import hash_tensors
from landscape.objective import Objective
from landscape.policies import Policy
from landscape.question import question_of
from landscape.slices.forward import Form
from landscape.slices.journal import Key, Values
from landscape.slices.order import coarse_to_fine
from landscape.slices.refinement import Refinement
from landscape.slices.survey import Survey
from landscape.work import Work

DIRECTION_NAMES = ("xdirection", "ydirection")


def measure_slice(
    kind: type[Slice],
    objective: Objective,
    settings: SliceSettings,
    grid: Grid,
    work: Work,
    directions: Sequence[Direction] | None = None,
    path: dict[str, NDArray[Any]] | None = None,
) -> Slice:
    """The result of class ``kind``; every rank returns the same.

    ``directions`` are those to use in place of the settings'.
    """
    started = time.perf_counter()
    count = len(grid.sides)
    first = list(directions or make_directions(objective, settings, count))
    split = canonical_split(objective.origin.get("split", "train"))
    label = objective.origin.get("label", "")
    provenance = objective.provenance(0.0)
    question = {
        **question_of(settings, provenance),
        "coordinates": hash_tensors(map(torch.from_numpy, grid.sides)),
        "vectors": hash_tensors(d.vector for d in first),
        # They enter the roundings, which a resumed surface shall not mix.
        "batch_size": objective.batches[0].size,
        "device": provenance.device,
    }
    points = SlicePoints(objective, settings, grid, split, first)

    names = points.names

    def preview(visible: Callable[[], dict[Key, Values]]) -> None:
        if work.watch is not None and work.watch.is_due:
            values = visible()
            seen = grid.arrange(names, values, 0)
            measured = np.zeros(grid.shape, dtype=bool)
            for repeat, row, column in values:
                measured[row, column] |= repeat == 0
            work.watch(build(seen, grid.squeeze(measured)))

    named = zip(DIRECTION_NAMES, first, strict=False)
    stored = [direction_arrays(d, name, objective.module) for name, d in named]
    tensors = _tensors(objective, settings, first, drawn=directions is None)

    def build(values: dict[str, Floats], measured: NDArray[np.bool_], **more: Any) -> Slice:
        return kind(
            label=label,
            settings=settings,
            provenance=replace(provenance, seconds=round(time.perf_counter() - started, 3)),
            split=split,
            x=grid.xs,
            y=grid.ys,
            values={name: grid.squeeze(found) for name, found in values.items()},
            own=own,
            directions={key: array for arrays in stored for key, array in arrays.items()},
            direction_cosine=cosine(first[0].vector, first[1].vector) if count == 2 else 1.0,
            tensors=tensors,
            form=asdict(points.form),
            measured=measured,
            path=path or {},
            **more,
        )

    survey = Survey(
        question,
        work.journal(kind.analysis),
        work.ranks,
        task=f"{kind.analysis} of {label or 'model'}",
        on_progress=preview,
    )
    try:
        if survey.decisions is None:
            survey.begin(asdict(points.choose_form()) if work.ranks.is_first else {})
        else:
            survey.begin(survey.decisions)
        assert survey.decisions is not None
        points.form = Form(**survey.decisions)
        own = points.own_values()
        results = [
            _measure_one(survey, points, names, grid, repeat) for repeat in range(settings.repeats)
        ]
        survey.finish()
    finally:
        points.close()
        survey.close()
    values, errors, measured = results[0]
    repeats = {}
    if settings.repeats > 1:
        repeats = {
            name: grid.squeeze(np.stack([found[name] for found, _, _ in results]))
            for name in values
        }
    return build(
        values,
        grid.squeeze(measured),
        errors={name: grid.squeeze(found) for name, found in errors.items()},
        repeats=repeats,
    )


def _measure_one(
    survey: Survey, points: SlicePoints, names: list[str], grid: Grid, repeat: int
) -> tuple[dict[str, Floats], dict[str, Floats], NDArray[np.bool_]]:
    """Values, errors of interpolation, and where it was measured, for one set of directions."""
    rows, columns = grid.shape
    if grid.tolerance is None:
        order = [(repeat, row, column) for row, column in coarse_to_fine(rows, columns)]
        survey.measure(order, points)
        values = grid.arrange(names, survey.shared_values(order), repeat)
        return values, {}, np.ones((rows, columns), dtype=bool)
    refinement = Refinement(rows, columns, grid.tolerance)
    todo = refinement.first()
    while todo:
        order = [(repeat, row, column) for row, column in todo]
        survey.measure(order, points)
        found = survey.shared_values(order)
        refinement.add({(row, col): float(v[0]) for (_, row, col), v in found.items()})
        todo = refinement.next()
    measured = refinement.measured
    known = [(repeat, int(row), int(column)) for row, column in np.argwhere(measured)]
    arranged = grid.arrange(names, survey.shared_values(known), repeat)
    filled = {
        name: refinement.fill(values, logarithmic="_loss" in name)
        for name, values in arranged.items()
    }
    return (
        {name: one.values for name, one in filled.items()},
        {name: one.error for name, one in filled.items()},
        measured,
    )


def _tensors(
    objective: Objective,
    settings: SliceSettings,
    directions: Sequence[Direction],
    *,
    drawn: bool,
) -> dict[str, NDArray[Any]]:
    """What each direction does to each tensor: the policy's treatment where it was drawn."""
    layout = objective.layout
    treatments = Policy.named(settings.policy, settings.perturb).of(layout)
    table: dict[str, NDArray[Any]] = {
        "name": np.array(layout.names, dtype=object),
        "kind": np.array(layout.kinds, dtype=object),
    }
    for axis, kind in zip("xy"[: len(directions)], settings.axis_kinds, strict=False):
        random = drawn and kind == "random"
        given = treatments if random else ("given",) * len(treatments)
        table[f"{axis}_treatment"] = np.array(given, dtype=object)
    own = [float(w.norm()) for w in layout.views(objective.theta)]
    for axis, direction in zip("xy", directions, strict=False):
        moved = [float(d.norm()) for d in layout.views(direction.vector)]
        table[f"{axis}_moved"] = np.divide(
            moved, own, out=np.full(len(own), np.nan), where=np.array(own) > 0
        )
    return table
