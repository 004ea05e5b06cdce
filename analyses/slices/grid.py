"""The points of lines and planes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import InputError
from landscape.runtime.cost import need_memory
from landscape.runtime.options import LARGEST_REAL, LARGEST_WHOLE

if TYPE_CHECKING:
    from landscape.results.journal import Key, Values

Floats = NDArray[np.float64]

# What a point takes while a grid is measured: its place in the queue, its values and their key.
POINT_BYTES = 500


@dataclass(frozen=True)
class Axis:
    """``count`` evenly spaced coordinates from ``start`` to ``stop``, both included."""

    start: float
    stop: float
    count: int

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """Read MIN:MAX:N. Raises InputError if it is malformed or has fewer than two points."""
        words = text.split(":")
        try:
            axis = cls(float(words[0]), float(words[1]), int(words[2]))
        except (ValueError, IndexError) as error:
            raise InputError(f"expected MIN:MAX:N, such as -1:1:51, got {text!r}") from error
        if len(words) != 3 or not (math.isfinite(axis.start) and math.isfinite(axis.stop)):
            raise InputError(f"expected MIN:MAX:N, such as -1:1:51, got {text!r}")
        if axis.count < 2:
            raise InputError(f"a grid needs at least 2 points a side, got {axis.count} in {text!r}")
        if axis.start >= axis.stop:
            raise InputError(f"MIN has to be less than MAX, got {text!r}")
        if axis.count > LARGEST_WHOLE or max(-axis.start, axis.stop) > LARGEST_REAL:
            raise InputError(f"a grid can't be computed with numbers as large as in {text!r}")
        return axis

    @classmethod
    def of(cls, value: "Axis | Sequence[float] | str") -> "Axis":
        """Return ``value`` as an axis.

        Args:
            value: an Axis, which is returned unchanged, a tuple (MIN, MAX, N) or MIN:MAX:N.

        Raises:
            InputError: if it is malformed or has fewer than two points.

        Example:
            >>> Axis.of((-1, 1, 51))
            Axis(start=-1.0, stop=1.0, count=51)
        """
        if isinstance(value, Axis):
            return value
        return cls.parse(value if isinstance(value, str) else ":".join(map(str, value)))

    def __str__(self) -> str:
        ends = (repr(end).removesuffix(".0") for end in (self.start, self.stop))
        return ":".join([*ends, str(self.count)])

    @property
    def coordinates(self) -> Floats:
        """The coordinates, of shape (count,); one that differs from 0 by rounding only is 0."""
        values = np.linspace(self.start, self.stop, self.count)
        values[np.abs(values) < 1e-12 * (self.stop - self.start)] = 0.0
        return values


if TYPE_CHECKING:

    class AxisField:
        """The type of a settings field that is given as an axis, tuple or text, and is an Axis."""

        def __get__(self, instance: object, owner: object) -> Axis: ...

        def __set__(
            self, instance: object, value: Axis | tuple[float, float, int] | str
        ) -> None: ...

    class OptionalAxisField:
        """The same for a field that may be None."""

        def __get__(self, instance: object, owner: object) -> Axis | None: ...

        def __set__(
            self, instance: object, value: Axis | tuple[float, float, int] | str | None
        ) -> None: ...

else:
    AxisField = OptionalAxisField = Axis


@dataclass(frozen=True)
class Grid:
    """The points of a line (``ys`` is None) or plane.

    Attributes:
        xs: the coordinates along x.
        ys: the coordinates along y.
        tolerance: asks for refinement to this error, relative to the loss.
        exact_points: whether the points of a refinement are measured in the precision that is
            asked for, and not in a faster one that the tolerance allows.
    """

    xs: Floats
    ys: Floats | None = None
    tolerance: float | None = None
    exact_points: bool = False

    @classmethod
    def of(
        cls,
        x: Axis,
        y: Axis | None = None,
        tolerance: float | None = None,
        repeats: int = 1,
        *,
        exact_points: bool = False,
    ) -> "Grid":
        """The grid of these axes, of which ``repeats`` are to be measured.

        Raises:
            NotMeasurableError: There is no memory for so many points.
        """
        points = x.count * (1 if y is None else y.count) * repeats
        need_memory(
            POINT_BYTES * points,
            f"the values of {points:,} points",
            "take fewer points (the N of MIN:MAX:N)",
        )
        return cls(x.coordinates, None if y is None else y.coordinates, tolerance, exact_points)

    @property
    def sides(self) -> list[Floats]:
        """The coordinates along x, and along y on a plane."""
        return [self.xs] if self.ys is None else [self.xs, self.ys]

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns; a line has one row."""
        return (1 if self.ys is None else len(self.ys)), len(self.xs)

    def coordinates(self, row: int, column: int) -> tuple[float, ...]:
        """The coordinates of a point: (x,) on a line, (x, y) on a plane."""
        x = float(self.xs[column])
        return (x,) if self.ys is None else (x, float(self.ys[row]))

    def squeeze(self, values: NDArray[Any]) -> NDArray[Any]:
        """Drop the row axis of a line: (..., ny, nx) on a plane, (..., nx) on a line."""
        return values[..., 0, :] if self.ys is None else values

    def arrange(
        self, names: Sequence[str], values: "Mapping[Key, Values]", repeat: int
    ) -> dict[str, Floats]:
        """Arrange the points of one repeat as arrays.

        Args:
            names: what the values of a point are, in order.
            values: the values of points by (repeat, row, column).
            repeat: the repeat whose points are arranged.

        Returns:
            Arrays of shape (ny, nx) by name, nan at the points that ``values`` lacks.
        """
        arrays = {name: np.full(self.shape, np.nan) for name in names}
        for (of_repeat, row, column), point_values in values.items():
            if of_repeat == repeat:
                for name, value in zip(names, point_values, strict=True):
                    arrays[name][row, column] = value
        return arrays
