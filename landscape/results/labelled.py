"""The arrays of a result with the coordinates of their axes, as pandas and xarray have them."""

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.results.dimensions import (
    Arrays,
    coordinates_along,
    plain_texts,
    scales_of,
    without_slashes,
)

if TYPE_CHECKING:
    from pandas import DataFrame, Index
    from xarray import Dataset


def data_frames(arrays: Arrays, coordinates: Collection[str]) -> "dict[str, DataFrame]":
    """Arrays as pandas DataFrames; :meth:`landscape.results.result.Result.to_pandas`."""
    from pandas import DataFrame

    frames: dict[str, DataFrame] = {}
    scalars: dict[str, tuple[Any, str]] = {}
    for path, array in arrays.items():
        values = plain_texts(array.values)
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

    scales = scales_of(arrays, coordinates)
    names = {place: scale.name for scale in scales for place in scale.along}
    variables = {}
    for path, array in arrays.items():
        values = plain_texts(array.values)
        dimensions = tuple(names[path, place] for place in range(values.ndim))
        variables[without_slashes(path)] = Variable(dimensions, values, _units(array.unit))
    along = {
        scale.name: Variable((scale.name,), scale.coordinates, _units(scale.unit))
        for scale in scales
        if scale.coordinates is not None and scale.name not in variables
    }
    return Dataset(variables, along, dict(attributes))


def _units(unit: str) -> dict[str, str]:
    return {"units": unit} if unit else {}


def _index(path: str, place: int, arrays: Arrays, coordinates: Collection[str]) -> "Index":
    """The labels along an axis: its coordinates, or else numbers from 0."""
    from pandas import Index, RangeIndex

    array = arrays[path]
    length = np.shape(plain_texts(array.values))[place]
    if not array.axes:
        return RangeIndex(length)
    values = coordinates_along(path, place, arrays, coordinates)
    name = array.axes[place]
    return RangeIndex(length, name=name) if values is None else Index(values, name=name)


def _product(indexes: "list[Index]") -> "Index":
    from pandas import MultiIndex

    return indexes[0] if len(indexes) == 1 else MultiIndex.from_product(indexes)
