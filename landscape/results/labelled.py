"""The arrays of a result with the coordinates of their axes, as pandas and xarray have them."""

import math
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from pandas import DataFrame, Index
    from xarray import Dataset

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
    array = arrays[path]
    axis, length = array.axes[place], np.shape(array.values)[place]
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        for name in names:
            other = arrays.get(f"{folder}/{name}" if folder else name)
            if other is not None and tuple(other.axes) == (axis,):
                values = _plain_texts(other.values)
                return values if len(values) == length else None
    words = list(_VALUE_AND_ERROR) if axis == "±" else re.split(", | and ", axis)
    return np.array(words, dtype=object) if len(words) == length > 1 else None


def data_frames(arrays: Arrays, coordinates: Collection[str]) -> "dict[str, DataFrame]":
    """Arrays as pandas DataFrames; :meth:`landscape.results.result.Result.to_pandas`."""
    from pandas import DataFrame

    frames: dict[str, DataFrame] = {}
    scalars: dict[str, tuple[Any, str]] = {}
    for path, array in arrays.items():
        values = _plain_texts(array.values)
        if values.ndim == 0:
            scalars[path] = (values.item(), array.unit)
        elif values.ndim <= 2 or array.axes:
            count = math.prod(values.shape[:-1])
            rows = values.reshape(count, values.shape[-1]) if values.ndim > 1 else values
            indexes = [_index(path, place, arrays, coordinates) for place in range(values.ndim)]
            by_row = indexes[:-1] if values.ndim > 1 else indexes
            columns = indexes[-1] if values.ndim > 1 else [path.rpartition("/")[2]]
            frames[path] = DataFrame(rows, index=_product(by_row), columns=columns)
            frames[path].attrs["unit"] = array.unit
    if scalars:
        table = DataFrame.from_dict(scalars, orient="index", columns=["value", "unit"])
        frames = {"scalars": table.rename_axis("name"), **frames}
    return frames


def dataset(
    arrays: Arrays, coordinates: Collection[str], attributes: Mapping[str, str]
) -> "Dataset":
    """Arrays as one xarray Dataset; :meth:`landscape.results.result.Result.to_xarray`."""
    from xarray import Dataset, Variable

    names = _dimension_names(arrays, coordinates)
    variables, along = {}, {}
    for path, array in arrays.items():
        units = {"units": array.unit} if array.unit else {}
        variables[_without_slashes(path)] = Variable(names[path], _plain_texts(array.values), units)
    for path, array in arrays.items():
        for place, dimension in enumerate(names[path] if array.axes else ()):
            values = coordinates_along(path, place, arrays, coordinates)
            if values is not None and dimension not in variables:
                along[dimension] = Variable((dimension,), values)
    return Dataset(variables, along, dict(attributes))


def _dimension_names(arrays: Arrays, coordinates: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The dimensions of each array, of which those of one name are one.

    An axis that folders have with other lengths or coordinates is called by its folder, too.
    """
    lengths: dict[str, set[int]] = {}
    labels: dict[str, set[tuple[Any, ...]]] = {}
    for path, array in arrays.items():
        for place, axis in enumerate(array.axes):
            lengths.setdefault(axis, set()).add(np.shape(array.values)[place])
            values = coordinates_along(path, place, arrays, coordinates)
            if values is not None:
                labels.setdefault(axis, set()).add(tuple(values.tolist()))
    names: dict[str, tuple[str, ...]] = {}
    for path, array in arrays.items():
        folder = path.rpartition("/")[0]
        dimensions = [f"{path} axis {place}" for place in range(np.ndim(array.values))]
        for place, axis in enumerate(array.axes):
            is_shared = len(lengths[axis]) == 1 and len(labels.get(axis, ())) <= 1
            name = axis if is_shared or not folder else f"{folder}/{axis}"
            if name in arrays and tuple(arrays[name].axes) != (axis,):
                name = f"{name} axis"  # an array of that name is another thing
            count = array.axes[:place].count(axis)
            dimensions[place] = f"{name} {count + 1}" if count else name
        names[path] = tuple(map(_without_slashes, dimensions))
    return names


def _without_slashes(path: str) -> str:
    """The name of a variable: netCDF has no slash in one."""
    return path.replace("/", ".")


def _index(path: str, place: int, arrays: Arrays, coordinates: Collection[str]) -> "Index":
    """The labels along an axis: its coordinates, or else numbers from 0."""
    from pandas import Index, RangeIndex

    array = arrays[path]
    length = np.shape(_plain_texts(array.values))[place]
    if not array.axes:
        return RangeIndex(length)
    values = coordinates_along(path, place, arrays, coordinates)
    name = array.axes[place]
    return RangeIndex(length, name=name) if values is None else Index(values, name=name)


def _product(indexes: "list[Index]") -> "Index":
    from pandas import MultiIndex

    return indexes[0] if len(indexes) == 1 else MultiIndex.from_product(indexes)


def _plain_texts(values: ArrayLike) -> NDArray[Any]:
    """The values as an array; texts as Python's own."""
    array = np.asarray(values)
    return array.astype(object) if array.dtype.kind in "US" else array
