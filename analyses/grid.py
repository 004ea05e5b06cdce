"""The coordinates of lines and planes."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.errors import InputError


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
