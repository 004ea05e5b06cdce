"""Surface files of the original loss-landscape tool (Li et al., 2018), as coordinates and arrays.

The tool allocates arrays as (nx, ny) but fills them in the order of ``meshgrid``, so that the flat
index is iy * nx + ix. By shape the values are right for square grids and scrambled for others.
Points that are not measured yet are -1.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import InputError
from landscape.results.consistency import check_increasing
from landscape.results.hdf5.read import is_hdf5, read_arrays, read_outline, read_shapes

# The value of points that are not measured yet, where it is not -1.
UNFINISHED = {"min_eig": 1.0}


@dataclass(frozen=True)
class OriginalSlice:
    """Coordinates ``x`` (nx,) and ``y`` (ny,), None for a line, and ``values`` (ny, nx) by name."""

    x: NDArray[np.float64]
    y: NDArray[np.float64] | None
    values: dict[str, NDArray[np.float64]]

    @property
    def splits(self) -> list[str]:
        """The splits that have a loss."""
        return [name.removesuffix("_loss") for name in self.values if name.endswith("_loss")]

    @property
    def at_origin(self) -> dict[str, float]:
        """The values at the network itself; empty if the origin is not a point of the grid."""
        column = np.flatnonzero(np.abs(self.x) < 1e-9)
        row = np.zeros(1, int) if self.y is None else np.flatnonzero(np.abs(self.y) < 1e-9)
        if not len(column) or not len(row):
            return {}
        return {
            name: float(np.atleast_2d(array)[row[0], column[0]])
            for name, array in self.values.items()
        }


def count_directions(path: Path) -> int:
    """1 for a line and 2 for a surface of the original tool, 0 for any other file."""
    if not is_hdf5(path):
        return 0
    if "analysis" in read_outline(path).attributes:
        return 0
    shapes = read_shapes(path)
    return 0 if "xcoordinates" not in shapes else 2 if "ycoordinates" in shapes else 1


def read_original(path: Path) -> OriginalSlice:
    """Read a surface or line.

    Returns:
        Its coordinates and values, with nan for points that are not measured yet.

    Raises:
        InputError: if the file is damaged or holds no loss.
    """
    try:
        stored = read_arrays(path, lambda name: "/" not in name and name != "dir_file")
        x, y = stored.pop("xcoordinates"), stored.pop("ycoordinates", None)
        for name, coordinates in (("xcoordinates", x), ("ycoordinates", y)):
            if coordinates is not None:
                check_increasing(name, coordinates)
        shape = (len(x),) if y is None else (len(y), len(x))
        values = {
            name: _in_order(name, array.astype(np.float64), shape)
            for name, array in stored.items()
            if array.size == np.prod(shape) and array.ndim > 0
        }
    except FileNotFoundError as error:
        raise InputError(f"no such surface file: {path}") from error
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} can't be read as a surface file ({error})") from error
    original = OriginalSlice(
        x.astype(np.float64), None if y is None else y.astype(np.float64), values
    )
    if not original.splits:
        raise InputError(f"{path} has coordinates but no train_loss or test_loss")
    for split in original.splits:
        values.setdefault(f"{split}_acc", np.full(shape, np.nan))
    return original


def _in_order(name: str, stored: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The values in the given shape, whatever the stored one is, with nan for unfinished points."""
    values = stored.ravel().reshape(shape)
    return np.where(values == UNFINISHED.get(name, -1.0), np.nan, values)
