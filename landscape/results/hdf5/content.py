"""The content of an HDF5 file: attributes and arrays, each checked before it is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.results.hdf5.structure import check_attribute, check_structure

# The attributes that are read. A file may have others.
ATTRIBUTES = ("analysis", "complete", "format", "label", "provenance", "settings")

Arrays = dict[str, NDArray[Any]]
Attribute = bool | int | float | str


@dataclass(frozen=True)
class Request:
    """Which arrays of a file are read.

    Attributes:
        wanted: whether the array of a path is.
        rows: of how many leading rows, for arrays of which not all are.
        attributes_only: whether the arrays are left alone, and nothing of them is checked either.
    """

    wanted: Callable[[str], bool]
    rows: Mapping[str, int] = field(default_factory=dict)
    attributes_only: bool = False


@dataclass(frozen=True)
class Content:
    """What was read from a file.

    Attributes:
        attributes: those of :data:`ATTRIBUTES` that the file has.
        shapes: the shapes of all its arrays by path; empty if only attributes were asked for.
        arrays: those that were asked for, by path; texts are ``str`` in arrays of objects.
    """

    attributes: dict[str, Attribute]
    shapes: dict[str, tuple[int, ...]]
    arrays: Arrays


def read_content(file: h5py.File, file_bytes: int, request: Request) -> Content:
    """Check the structure of a file and read from it.

    Raises:
        InputError: The structure is not as required (:mod:`landscape.results.hdf5.structure`).
        Exception: Any that h5py raises for a damaged file.
    """
    datasets = {} if request.attributes_only else check_structure(file, file_bytes)
    return Content(
        {name: _attribute(file, name) for name in ATTRIBUTES if name in file.attrs},
        {name: tuple(dataset.shape) for name, dataset in datasets.items()},
        {
            name: _values(dataset, request.rows.get(name))
            for name, dataset in datasets.items()
            if request.wanted(name)
        },
    )


def _attribute(file: h5py.File, name: str) -> Attribute:
    check_attribute(file.attrs.get_id(name), name)
    value = file.attrs[name]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else np.asarray(value).item()


def _values(dataset: h5py.Dataset, rows: int | None) -> NDArray[Any]:
    places = () if rows is None or dataset.ndim == 0 else slice(0, rows)
    if dataset.dtype.kind in "SO":
        return np.asarray(dataset.asstr("utf-8", "replace")[places], dtype=object)
    values = np.asarray(dataset[places])
    # Bytes other than 0 and 1 are no values of numpy's type.
    return values.view(np.uint8) != 0 if values.dtype.kind == "b" else values
