"""Measuring a line or plane: the points in their order, shared, kept, refined and repeated."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.slice_result import Slice
from analyses.slice_settings import SliceSettings, make_directions
from landscape.data.catalog import canonical_split
from landscape.direction_files import direction_arrays
from landscape.directions import Direction, cosine
from landscape.evaluation import Evaluation
from landscape.hashing import hash_tensors
from landscape.objective import Objective
from landscape.policies import Policy
from landscape.question import question_of
from landscape.slices.evaluator import PointEvaluator
from landscape.slices.forms import choose_form
from landscape.slices.forward import Form
from landscape.slices.journal import Key, Values
from landscape.slices.order import coarse_to_fine
from landscape.slices.refinement import Refinement
from landscape.slices.survey import Survey
from landscape.work import Work

Floats = NDArray[np.float64]
DIRECTION_NAMES = ("xdirection", "ydirection")


@dataclass(frozen=True)
class Grid:
    """Where the points lie: ``ys`` is None on a line. ``tolerance`` asks for refinement."""

    xs: Floats
    ys: Floats | None = None
    tolerance: float | None = None

    @property
    def sides(self) -> list[Floats]:
        """The coordinates along x, and along y on a plane."""
        return [self.xs] if self.ys is None else [self.xs, self.ys]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns; a line has one row."""
        return (1 if self.ys is None else len(self.ys)), len(self.xs)

    def coordinates(self, row: int, column: int) -> tuple[float, ...]:
        """Where a point lies along the directions."""
        x = float(self.xs[column])
        return (x,) if self.ys is None else (x, float(self.ys[row]))

    def squeeze(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of shape (..., ny, nx) on a plane and (..., nx) on a line."""
        return values[..., 0, :] if self.ys is None else values


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
    points = _Points(objective, settings, grid, split, first)

    names = points.names

    def preview(visible: Callable[[], dict[Key, Values]]) -> None:
        if work.watch is not None and work.watch.is_due:
            values = visible()
            seen = _arrange(names, grid, values, 0)
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


class _Points:
    """The values of points by key (repeat, row, column)."""

    def __init__(
        self,
        objective: Objective,
        settings: SliceSettings,
        grid: Grid,
        split: str,
        first: list[Direction],
    ) -> None:
        self._objective = objective
        self._settings = settings
        self._grid = grid
        self._split = split
        self._first = first
        self._evaluator: PointEvaluator | None = None
        self._repeat = -1
        self.form = Form(objective.precision if objective.precision == "fp64" else "fp32")

    @property
    def names(self) -> list[str]:
        return self._at(0).names

    def choose_form(self) -> Form:
        """Tried out at the origin, half-way and in a corner."""
        rows, columns = self._grid.shape
        corner = self._grid.coordinates(rows - 1, columns - 1)
        middle = self._grid.coordinates(rows // 4, columns // 4)
        origin = (0.0,) * len(corner)
        number = rows * columns * self._settings.repeats
        return choose_form(
            self._objective, self._first, self._split, [origin, middle, corner], number
        )

    def own_values(self) -> dict[str, float]:
        """What the network itself gives, by the plain module."""
        evaluator = self._at(0)
        self._objective.restore()
        return flatten_evaluations(evaluator.evaluate_here(plain=True))

    def __call__(self, key: Key) -> Values:
        repeat, row, column = key
        return self._at(repeat)(self._grid.coordinates(row, column))

    def close(self) -> None:
        self._objective.restore()

    def _at(self, repeat: int) -> PointEvaluator:
        if self._evaluator is None or self._repeat != repeat or self._evaluator.form != self.form:
            count = len(self._first)
            directions = (
                make_directions(self._objective, self._settings, count, repeat)
                if repeat
                else self._first
            )
            self._evaluator = PointEvaluator(
                self._objective,
                directions,
                self._split,
                form=self.form,
                bn=self._settings.bn,
                eigenvalues=self._settings.eigenvalues,
            )
            self._repeat = repeat
        return self._evaluator


def flatten_evaluations(found: dict[str, Evaluation]) -> dict[str, float]:
    """Every split's numbers under their names in files."""
    values: dict[str, float] = {}
    for split, one in found.items():
        values[f"{split}_loss"] = one.loss
        values[f"{split}_acc"] = one.accuracy
        values[f"{split}_loss_stderr"] = one.loss_stderr
        values.update({f"{split}_{name}": value for name, value in one.metrics.items()})
    return values


def _measure_one(
    survey: Survey, points: _Points, names: list[str], grid: Grid, repeat: int
) -> tuple[dict[str, Floats], dict[str, Floats], NDArray[np.bool_]]:
    """Values, errors of interpolation, and where it was measured, for one set of directions."""
    rows, columns = grid.shape
    if grid.tolerance is None:
        order = [(repeat, row, column) for row, column in coarse_to_fine(rows, columns)]
        survey.measure(order, points)
        values = _arrange(names, grid, survey.shared_values(order), repeat)
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
    arranged = _arrange(names, grid, survey.shared_values(known), repeat)
    filled = {
        name: refinement.fill(values, logarithmic="_loss" in name)
        for name, values in arranged.items()
    }
    return (
        {name: one.values for name, one in filled.items()},
        {name: one.error for name, one in filled.items()},
        measured,
    )


def _arrange(
    names: Sequence[str], grid: Grid, values: dict[Key, Values], repeat: int
) -> dict[str, Floats]:
    """Arrays of shape (ny, nx) by name; nan where there is nothing."""
    arrays = {name: np.full(grid.shape, np.nan) for name in names}
    for (of_repeat, row, column), found in values.items():
        if of_repeat == repeat:
            for name, value in zip(names, found, strict=True):
                arrays[name][row, column] = value
    return arrays


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
