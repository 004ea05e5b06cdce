"""The RMS change of every corruption beside that of the authors' code, on the same pictures."""

import numpy as np
from numpy.typing import NDArray

SIDE = 224


def leaves(n: int, side: int) -> NDArray[np.uint8]:
    """Pictures (n, side, side, 3) of overlapping disks, whose statistics are those of photographs.

    In this dead leaves model (Lee, Mumford and Huang 2001) opaque disks, their radii distributed as
    1 / r^3, hide each other. Each has its own colour, shading and grain.
    """
    source = np.random.default_rng(0)
    places = np.arange(SIDE)
    pictures = np.zeros((n, SIDE, SIDE, 3))
    for picture in pictures:
        for _ in range(1500):
            radius = 4 / np.sqrt(1 - source.random() * (1 - 1 / 32**2))
            row, column = source.uniform(-radius, SIDE + radius, 2)
            grey, slope = source.uniform(0, 255), source.normal(0, 0.15, 2)
            colour = grey + source.normal(0, 25, 3)
            rows = slice(max(0, int(row - radius)), int(row + radius) + 1)
            columns = slice(max(0, int(column - radius)), int(column + radius) + 1)
            down, right = places[rows, None] - row, places[None, columns] - column
            shaded = colour + (slope[0] * down + slope[1] * right)[..., None]
            shaded += source.normal(0, 4, shaded.shape[:2])[..., None]
            inside = (down**2 + right**2 <= radius**2)[..., None]
            picture[rows, columns] = np.where(inside, shaded, picture[rows, columns])
    step = SIDE // side
    means = pictures.reshape(n, side, step, side, step, 3).mean((2, 4))
    return means.clip(0, 255).round().astype(np.uint8)
