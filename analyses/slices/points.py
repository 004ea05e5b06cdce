"""The values of the points of a line or plane."""

from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from analyses.slices.directions import make_directions
from analyses.slices.grid import Grid
from analyses.slices.settings import SliceSettings
from landscape.directions.direction import Direction
from landscape.objective.evaluation import Evaluation
from landscape.objective.objective import Objective
from landscape.results.journal import Key, Values
from landscape.slices.choose_mode import choose_mode
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator
from landscape.slices.low_precision import PrecisionNeed

# The share of a refinement's tolerance that the arithmetic of the points may take.
PRECISION_SHARE = 1 / 3
# The error of arithmetic is measured at so many points, hence to within 18 % of itself.
NOISE_POINTS = 16


class SlicePoints:
    """Evaluates points by their key (repeat, row, column).

    A context manager that restores the objective's own weights at the end.

    Args:
        objective: the loss.
        settings: what is measured at every point, and how repeats draw their directions.
        grid: the coordinates.
        split: the name of the objective's own samples.
        directions: those of the first repeat.
    """

    def __init__(
        self,
        objective: Objective,
        settings: SliceSettings,
        grid: Grid,
        split: str,
        directions: list[Direction],
    ) -> None:
        self._objective = objective
        self._settings = settings
        self._grid = grid
        self._split = split
        self._directions = directions
        self._evaluator: PointEvaluator | None = None
        self._repeat = -1
        self._at_origin: dict[str, Evaluation] | None = None
        self.mode = EvaluationMode(objective.precision if objective.precision == "fp64" else "fp32")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._objective.restore()

    @property
    def names(self) -> list[str]:
        """The names of a point's values, in order."""
        return self._evaluator_of(0).names

    @property
    def splits(self) -> list[str]:
        """The splits that are evaluated."""
        return [*self._evaluator_of(0).samples]

    def choose_mode(self) -> EvaluationMode:
        """Choose the fastest mode by trials at the origin, half-way and in a corner."""
        rows, columns = self._grid.shape
        tolerance = self._grid.tolerance
        need = None
        if tolerance is not None:
            points = [self._grid.coordinates(*cell) for cell in _spread(rows, columns)]
            need = PrecisionNeed(
                tolerance * PRECISION_SHARE, points, is_fixed=self._grid.exact_points
            )
        corner = self._grid.coordinates(rows - 1, columns - 1)
        middle = self._grid.coordinates(rows // 4, columns // 4)
        origin = (0.0,) * len(corner)
        return choose_mode(
            self._objective,
            self._directions,
            self._split,
            [origin, middle, corner],
            rows * columns * self._settings.repeats,
            together=self._can_be_together,
            need=need,
        )

    @property
    def mode_record(self) -> dict[str, Any]:
        """How points are evaluated, as a result stores it: its noise is that of the loss."""
        return asdict(self.mode) | {"noise": self.mode.noise.get(self.names[0], 0.0)}

    def values_at_origin(self) -> dict[str, float]:
        """The values of the network itself by name."""
        return self._evaluator_of(0).named(self._evaluations_at_origin())

    def error_dof(self) -> dict[str, float]:
        """The degrees of freedom of the losses' sampling errors by name, as at the origin."""
        evaluations = self._evaluations_at_origin().items()
        return {f"{split}_loss_stderr": evaluation.loss_dof for split, evaluation in evaluations}

    def _evaluations_at_origin(self) -> dict[str, Evaluation]:
        """Those of every split, evaluated once with the plain module."""
        if self._at_origin is None:
            evaluator = self._evaluator_of(0)
            self._objective.restore()
            self._at_origin = evaluator.evaluate_here(plain=True)
        return self._at_origin

    def __call__(self, key: Key) -> Values:
        """Evaluate one point."""
        repeat, row, column = key
        return self._evaluator_of(repeat)(self._grid.coordinates(row, column))

    def together(self, keys: Sequence[Key]) -> Sequence[Values]:
        """Evaluate points of one repeat, in one forward pass where the mode says so."""
        if self.mode.points == 1:
            return [self(key) for key in keys]
        points = [self._grid.coordinates(row, column) for _, row, column in keys]
        return self._evaluator_of(keys[0][0]).together(points)

    @property
    def _can_be_together(self) -> bool:
        """Whether nothing but the weights differs from point to point."""
        moves_statistics = any(d.statistics is not None for d in self._directions)
        is_more = self._settings.bn != "fixed" or self._settings.eigenvalues
        return not (moves_statistics or is_more or self._objective.needs_gradients)

    def _evaluator_of(self, repeat: int) -> PointEvaluator:
        """The evaluator along the directions of one repeat, in the current mode."""
        if self._evaluator is None or self._repeat != repeat or self._evaluator.mode != self.mode:
            count = len(self._directions)
            directions = (
                make_directions(self._objective, self._settings, count, repeat)
                if repeat
                else self._directions
            )
            self._evaluator = PointEvaluator(
                self._objective,
                directions,
                self._split,
                mode=self.mode,
                bn=self._settings.bn,
                eigenvalues=self._settings.eigenvalues,
            )
            self._repeat = repeat
        return self._evaluator


def _spread(rows: int, columns: int) -> list[tuple[int, int]]:
    """Cells (row, column) of a grid that lie evenly over it but in no pattern.

    They are the first of the sequence R2 of Roberts (2018), which has low discrepancy.
    """
    steps = (0.7548776662466927, 0.5698402909980532)
    return [
        (int((0.5 + k * steps[0]) % 1 * rows), int((0.5 + k * steps[1]) % 1 * columns))
        for k in range(1, NOISE_POINTS + 1)
    ]
