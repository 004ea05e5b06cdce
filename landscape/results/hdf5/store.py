"""Storing arrays and attributes; texts have a fixed length.

Reading damaged texts of variable length can hang.
"""

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

# What texts are in, by netCDF's name for it: without it xarray takes them for bytes.
ENCODING = {"_Encoding": "utf-8"}


def store_array(
    file: h5py.File, path: str, values: ArrayLike, attributes: Mapping[str, str]
) -> h5py.Dataset:
    """Write an array with its attributes."""
    array = fixed_length(values)
    stored = file.create_dataset(path, data=array)
    encoding = ENCODING if array.dtype.kind == "S" else {}
    store_attributes(stored, {**attributes, **encoding})
    return stored


def store_attributes(
    item: h5py.File | h5py.Dataset, attributes: Mapping[str, bool | int | str]
) -> None:
    """Write attributes of a file or an array."""
    for name, value in attributes.items():
        item.attrs[name] = fixed_length(value)


def fixed_length(values: Any) -> Any:
    """The values as an array; texts as UTF-8 of as many bytes as the longest has, at least one."""
    array = np.asarray(values)
    if array.dtype.kind not in "OU":
        return array
    encoded = [str(text).encode("utf-8", "surrogateescape") for text in array.ravel()]
    length = max(1, *map(len, encoded)) if encoded else 1
    return np.array(encoded, h5py.string_dtype("utf-8", length)).reshape(array.shape)
