"""What is measured at a point of a line or plane."""

from analyses.grid import Grid
from analyses.slice_settings import SliceSettings, make_directions
from landscape.directions import Direction
from landscape.evaluation import Evaluation
from landscape.objective import Objective
from landscape.slices.evaluator import PointEvaluator
from landscape.slices.forms import choose_form
from landscape.slices.forward import Form
from landscape.slices.journal import Key, Values


class SlicePoints:
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
        """What the values of a point are, in their order."""
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
        return _flatten(evaluator.evaluate_here(plain=True))

    def __call__(self, key: Key) -> Values:
        """The values at one point."""
        repeat, row, column = key
        return self._at(repeat)(self._grid.coordinates(row, column))

    def close(self) -> None:
        """Give the network its own weights back."""
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


def _flatten(found: dict[str, Evaluation]) -> dict[str, float]:
    """Every split's numbers under their names in files."""
    values: dict[str, float] = {}
    for split, one in found.items():
        values[f"{split}_loss"] = one.loss
        values[f"{split}_acc"] = one.accuracy
        values[f"{split}_loss_stderr"] = one.loss_stderr
        values.update({f"{split}_{name}": value for name, value in one.metrics.items()})
    return values
