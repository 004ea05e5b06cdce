"""The points of lines and planes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import InputError
from landscape.results.journal import Key, Values

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """``count`` evenly spaced coordinates from ``start`` to ``stop``, both included."""

    start: float
    stop: float
    count: int

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """Read MIN:MAX:N. Raises InputError if it is malformed or has fewer than two points."""
        parts = text.split(":")
        try:
            axis = cls(float(parts[0]), float(parts[1]), int(parts[2]))
        except (ValueError, IndexError) as error:
            raise InputError(f"expected MIN:MAX:N, such as -1:1:51, got {text!r}") from error
        if len(parts) != 3 or not (math.isfinite(axis.start) and math.isfinite(axis.stop)):
            raise InputError(f"expected MIN:MAX:N, such as -1:1:51, got {text!r}")
        if axis.count < 2:
            raise InputError(f"a grid needs at least 2 points a side, got {axis.count} in {text!r}")
        if axis.start >= axis.stop:
            raise InputError(f"MIN has to be less than MAX, got {text!r}")
        return axis

    def __str__(self) -> str:
        ends = (repr(end).removesuffix(".0") for end in (self.start, self.stop))
        return ":".join([*ends, str(self.count)])

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """The coordinates, of shape (count,); one that is 0 but for rounding is 0."""
        values = np.linspace(self.start, self.stop, self.count)
        values[np.abs(values) < 1e-12 * (self.stop - self.start)] = 0.0
        return values


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

    def arrange(
        self, names: Sequence[str], values: Mapping[Key, Values], repeat: int
    ) -> dict[str, Floats]:
        """Arrays of shape (ny, nx) by name; nan where there is nothing."""
        arrays = {name: np.full(self.shape, np.nan) for name in names}
        for (of_repeat, row, column), found in values.items():
            if of_repeat == repeat:
                for name, value in zip(names, found, strict=True):
                    arrays[name][row, column] = value
        return arrays
