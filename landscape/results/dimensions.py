"""The dimensions of a result's arrays: which axes are one, and the coordinates along it."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.results.hdf5.scales import Scale

# The axis of a number and its standard error.
_VALUE_AND_ERROR = ("value", "standard error")


class WithUnit(Protocol):
    """Values with their unit and the names of their axes."""

    @property
    def values(self) -> ArrayLike:
        """The values."""

    @property
    def unit(self) -> str:
        """The unit; empty where there is none."""

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes; empty where they have none."""


Arrays = Mapping[str, WithUnit]


def coordinates_along(
    path: str, place: int, arrays: Arrays, names: Collection[str]
) -> NDArray[Any] | None:
    """The coordinates of an axis of an array; None where the arrays hold none.

    Args:
        path: of the array.
        place: the number of the axis.
        arrays: all arrays by path.
        names: what arrays of coordinates are called within their folders. Each is of one axis, and
            is of that axis in its folder and those in it.

    Returns:
        As many numbers or words as the array has entries along the axis. An axis that is called
        by what it holds, such as ``largest, smallest``, has these words.
    """
    axis, length = arrays[path].axes[place], np.shape(arrays[path].values)[place]
    holder = coordinate_array(path, axis, arrays, names)
    if holder is not None:
        values = plain_texts(arrays[holder].values)
        return values if len(values) == length else None
    words = list(_VALUE_AND_ERROR) if axis == "±" else re.split(", | and ", axis)
    return np.array(words, dtype=object) if len(words) == length > 1 else None


def coordinate_array(
    path: str, axis: str, arrays: Mapping[str, Any], names: Collection[str]
) -> str | None:
    """The path of the array that holds the coordinates of an axis, in the nearest folder.

    Args:
        path: of an array that has the axis.
        axis: its name.
        arrays: all arrays, which have ``axes``, by path.
        names: as for :func:`coordinates_along`.
    """
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        for name in names:
            other = within(folder, name)
            if other in arrays and tuple(arrays[other].axes) == (axis,):
                return other
    return None


def scales_of(arrays: Arrays, coordinates: Collection[str]) -> list[Scale]:
    """The dimensions of arrays, in the order of their first appearance.

    Axes of one name are one dimension of that name. Where folders have an axis with other lengths
    or coordinates, each has a dimension of its own, which is called by the folder, too. The second
    axis of a name in an array has a 2 behind it, and an axis without a name is called by its
    length.

    Args:
        arrays: by path.
        coordinates: what arrays of coordinates are called within their folders.

    Returns:
        A scale for each dimension, in the deepest folder that holds all arrays that have it.
    """
    along: dict[str, list[tuple[str, int]]] = {}
    for path, names in _dimension_names(arrays, coordinates).items():
        for place, name in enumerate(names):
            along.setdefault(name, []).append((path, place))
    folders = {folder for path in arrays for folder in _folders(path)}
    scales = []
    for name, places in along.items():
        path, place = places[0]
        is_named = bool(arrays[path].axes)
        # The original tool counts what is in the folders of directions, which name no axes.
        folder = _common_folder([path for path, _ in places]) if is_named else ""
        scale_path = within(folder, name)
        while folder and not _is_free(scale_path, name, arrays, folders):
            folder = folder.rpartition("/")[0]
            scale_path = within(folder, name)
        labels, unit = _labels(places, arrays, coordinates) if is_named else (None, "")
        if scale_path in arrays:
            labels, unit = plain_texts(arrays[scale_path].values), arrays[scale_path].unit
        length = np.shape(arrays[path].values)[place]
        scales.append(Scale(scale_path, length, labels, unit, tuple(places)))
    return scales


def plain_texts(values: ArrayLike) -> NDArray[Any]:
    """The values as an array; texts as Python's own."""
    array = np.asarray(values)
    return array.astype(object) if array.dtype.kind in "US" else array


def without_slashes(path: str) -> str:
    """The name of a variable: netCDF has no slash in one."""
    return path.replace("/", ".")


def within(folder: str, name: str) -> str:
    """The path of what has a name in a folder; ``""`` is the whole file."""
    return f"{folder}/{name}" if folder else name


def _dimension_names(arrays: Arrays, coordinates: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The dimensions of each array, of which those of one name are one."""
    lengths: dict[str, set[int]] = {}
    labels: dict[str, set[tuple[Any, ...]]] = {}
    for path, array in arrays.items():
        for place, axis in enumerate(array.axes):
            lengths.setdefault(axis, set()).add(np.shape(array.values)[place])
            values = coordinates_along(path, place, arrays, coordinates)
            if values is not None:
                labels.setdefault(axis, set()).add(tuple(values.tolist()))
    folders = {folder for path in arrays for folder in _folders(path)}
    numbers = {path.rpartition("/")[2] for path in arrays if np.ndim(arrays[path].values) == 0}
    names: dict[str, tuple[str, ...]] = {}
    for path, array in arrays.items():
        folder, shape = path.rpartition("/")[0], np.shape(array.values)
        axes = array.axes or tuple(f"length {length}" for length in shape)
        dimensions = []
        for place, axis in enumerate(axes):
            is_shared = len(lengths.get(axis, ())) <= 1 and len(labels.get(axis, ())) <= 1
            name = axis if is_shared else within(folder, axis)
            if axis in numbers or not _is_free(name, axis, arrays, folders):
                name = f"{name} axis"  # what has that name is another thing
            count = axes[:place].count(axis)
            dimensions.append(without_slashes(f"{name} {count + 1}" if count else name))
        names[path] = tuple(dimensions)
    return names


def _is_free(path: str, axis: str, arrays: Arrays, folders: Collection[str]) -> bool:
    """Whether nothing has a path, or an array with this axis alone: its coordinates."""
    return path not in folders and (path not in arrays or tuple(arrays[path].axes) == (axis,))


def _labels(
    places: list[tuple[str, int]], arrays: Arrays, coordinates: Collection[str]
) -> tuple[NDArray[Any] | None, str]:
    """The coordinates of a dimension and their unit, by the first array that has any."""
    for path, place in places:
        values = coordinates_along(path, place, arrays, coordinates)
        if values is not None:
            holder = coordinate_array(path, arrays[path].axes[place], arrays, coordinates)
            return values, arrays[holder].unit if holder else ""
    return None, ""


def _folders(path: str) -> list[str]:
    """The folders that an array is in, the innermost first, without that of the whole file."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _common_folder(paths: list[str]) -> str:
    """The deepest folder that holds all arrays."""
    shared = set(_folders(paths[0])).intersection(*map(_folders, paths[1:]))
    return max(shared, key=len, default="")
