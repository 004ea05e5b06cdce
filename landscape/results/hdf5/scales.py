"""Dimension scales: by them other readers know the dimensions of arrays and their coordinates.

A scale is an array that stands for a dimension (HDF5 Dimension Scale Specification; netCDF-4 uses
them in the same way). An array refers to the scales of its axes by its attribute DIMENSION_LIST,
the only thing of variable length in a file: our reader reads no attribute of an array, and sees by
the presence of one which arrays are there for other readers alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.results.hdf5.store import store_array

# The attribute of arrays that only stand for a dimension, and are none of the result's.
SCALE_ONLY = "scale_only"
# So netCDF calls the scale of a dimension without coordinates; its length follows.
_WITHOUT_COORDINATES = "This is a netCDF dimension but not a netCDF variable.{:10d}"
_REFERENCES = h5py.vlen_dtype(h5py.ref_dtype)
_BACK_REFERENCE = np.dtype([("dataset", h5py.ref_dtype), ("dimension", np.int32)])


@dataclass(frozen=True)
class Scale:
    """A dimension of arrays of a file.

    Attributes:
        path: of the scale within the file, where its last part is the name of the dimension. An
            array of this path is the scale itself.
        length: how many entries arrays have along the dimension.
        coordinates: as many numbers or texts; None where there are none.
        unit: of the coordinates; empty where they have none.
        along: the paths of arrays that have the dimension, each with the number of the axis.
    """

    path: str
    length: int
    coordinates: NDArray[Any] | None
    unit: str
    along: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """The name of the dimension."""
        return self.path.rpartition("/")[2]


def write_scales(file: h5py.File, scales: Sequence[Scale]) -> None:
    """Write scales, and refer to them from the arrays that have their dimensions.

    Args:
        file: opened for writing, with all arrays.
        scales: those of all axes of each array that has any.
    """
    references: dict[str, dict[int, h5py.Reference]] = {}
    for scale in scales:
        stored = file[scale.path] if scale.path in file else _store(file, scale)
        is_named = scale.coordinates is not None
        stored.make_scale(scale.name if is_named else _WITHOUT_COORDINATES.format(scale.length))
        others = [(path, axis) for path, axis in scale.along if path != scale.path]
        for path, axis in others:
            references.setdefault(path, {})[axis] = stored.ref
        if others:
            back = [(file[path].ref, axis) for path, axis in others]
            stored.attrs.create("REFERENCE_LIST", np.array(back, _BACK_REFERENCE))
    # The library would attach them array after array, and write all back references each time.
    for path, by_axis in references.items():
        lists = np.empty(len(by_axis), object)
        for axis, reference in by_axis.items():
            lists[axis] = np.array([reference], h5py.ref_dtype)
        file[path].attrs.create("DIMENSION_LIST", lists, dtype=_REFERENCES)


def _store(file: h5py.File, scale: Scale) -> h5py.Dataset:
    if scale.coordinates is None:
        stored = file.create_dataset(scale.path, (scale.length,), ">f4")  # holds no values
    else:
        units = {"units": scale.unit} if scale.unit else {}
        stored = store_array(file, scale.path, scale.coordinates, units)
    stored.attrs[SCALE_ONLY] = np.uint8(1)
    return stored
