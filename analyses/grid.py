"""What surface and line share: axes, and the directions they lie along."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.directions import (
    NORMALIZATIONS,
    ONE_DIMENSIONAL,
    Direction,
    random_direction,
    read_directions,
)
from landscape.errors import InputError
from landscape.objective import Objective
from landscape.options import option


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
class DirectionSettings:
    """How the directions are made."""

    directions: str = option(
        "", "use the directions stored in a direction or surface file", metavar="FILE.h5"
    )
    normalize: str = option(
        "filter",
        "scale of random directions, relative to the weights (filter: Li et al., 2018)",
        choices=NORMALIZATIONS,
    )
    one_dimensional: str = option(
        "zero",
        "biases and norm gains: zero leaves them in place, layer moves each as one filter",
        choices=ONE_DIMENSIONAL,
    )
    seed: int = 0


def make_directions(
    objective: Objective, settings: DirectionSettings, count: int
) -> list[Direction]:
    """The x direction, and with ``count`` 2 the y direction, on the objective's device.

    Random ones come from the settings' seed: the same draw for every checkpoint of an
    architecture, then scaled to its own weights.
    """
    if settings.directions:
        path = Path(settings.directions)
        found = read_directions(path, objective.layout)
        if len(found) < count:
            raise InputError(f"{path} holds one direction; a surface needs two")
        return [
            Direction(direction.vector.to(objective.theta), direction.layout)
            for direction in found[:count]
        ]
    generator = torch.Generator().manual_seed(settings.seed)
    return [
        random_direction(
            objective.layout,
            objective.theta,
            generator,
            normalize=settings.normalize,
            one_dimensional=settings.one_dimensional,
        )
        for _ in range(count)
    ]


def axis_label(name: str, settings: Sequence[DirectionSettings]) -> str:
    """The name of an axis with its unit, where all directions were scaled in one known way."""
    units = {"filter": "filter norms", "layer": "layer norms", "weight": "weights"}
    scales = {None if one.directions else one.normalize for one in settings}
    unit = units.get(scales.pop() or "") if len(scales) == 1 else None
    return f"{name} ({unit})" if unit else name


def stored_split(arrays: Iterable[str]) -> str:
    """Which split's loss a file holds, from the names of its arrays."""
    names = [name for name in arrays if name.endswith("_loss") and name != "origin_loss"]
    return names[0].removesuffix("_loss")
