"""The order in which a grid is visited: coarse to fine, so that an unfinished grid can be shown."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def nested_indices(count: int, coarsest: int) -> list[Indices]:
    """Nested subsets of 0..count-1, each with the middles of the gaps of the subset before.

    The first has about ``coarsest`` evenly spread members with both ends, the last has all.
    """
    levels = [np.unique(np.linspace(0, count - 1, min(coarsest, count)).round().astype(np.int64))]
    while len(levels[-1]) < count:
        last = levels[-1]
        levels.append(np.union1d(last, (last[:-1] + last[1:]) // 2))
    return levels


def coarse_to_fine(rows: int, columns: int, coarsest: int = 5) -> list[tuple[int, int]]:
    """Every point (row, column) of a grid once, level by level of the nested subgrids."""
    by_row, by_column = nested_indices(rows, coarsest), nested_indices(columns, coarsest)
    order: dict[tuple[int, int], None] = {}
    for level in range(max(len(by_row), len(by_column))):
        for row in by_row[min(level, len(by_row) - 1)]:
            for column in by_column[min(level, len(by_column) - 1)]:
                order[int(row), int(column)] = None
    return list(order)
