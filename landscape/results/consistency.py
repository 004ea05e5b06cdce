"""Whether a result that was restored from a file is what its file and its own axes say."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.errors import InputError
from landscape.results.dimensions import coordinate_array

# How arrays of errors are called, and the axes along which an error follows its value.
_ERROR_NAMES = ("stderr", "error", "errors", "residual", "residuals")
_VALUE_AND_ERROR = ("value and error", "value and standard error", "mean and standard error", "±")


class Described(Protocol):
    """Values with the names of their axes."""

    @property
    def values(self) -> ArrayLike:
        """The values."""

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes; empty for a number or where they are not named."""


def check_axes(arrays: Mapping[str, Described], coordinates: Collection[str] = ()) -> None:
    """Check that arrays that share an axis have the same length along it.

    Args:
        arrays: by path. Axes of the same name are the same axis within a folder, and that of the
            coordinates in a folder around it, where one has any.
        coordinates: what arrays of coordinates are called within their folders.

    Raises:
        InputError: They have not, or an array has another number of dimensions than axes.
    """
    lengths: dict[tuple[str, str], tuple[int, str]] = {}
    for path, array in arrays.items():
        shape = np.shape(array.values)
        if not array.axes:
            continue
        if len(shape) != len(array.axes):
            raise InputError(
                f"{path} has {len(shape)} dimensions, expected {len(array.axes)}: "
                f"{', '.join(array.axes)}"
            )
        for axis, length in zip(array.axes, shape, strict=True):
            known, first = lengths.setdefault((_folder(path), axis), (length, path))
            if known != length:
                raise InputError(f"{path} has {length} entries along {axis}, {first} has {known}")
            holder = coordinate_array(path, axis, arrays, coordinates)
            count = length if holder is None else len(np.asarray(arrays[holder].values))
            if count != length:
                raise InputError(f"{path} has {length} entries along {axis}, {holder} has {count}")


def check_restored(
    restored: Mapping[str, Described],
    stored: Mapping[str, NDArray[Any]],
    *,
    may_lack: bool = False,
) -> None:
    """Check that a result has the arrays of the file that it was restored from.

    Args:
        restored: the arrays of the result, by path.
        stored: those of the file.
        may_lack: whether the file may lack some, as those of earlier versions do.

    Raises:
        InputError: An array is missing, is too many, or has another shape or kind of values.
    """
    for path in {*stored} - {*restored}:
        raise InputError(f"it should not have {path}")
    for path, array in restored.items():
        if path not in stored:
            if may_lack:
                continue
            raise InputError(f"it lacks {path}")
        values = np.asarray(array.values)
        if values.shape != stored[path].shape or _kind(values) != _kind(stored[path]):
            raise InputError(
                f"{path} is an array of {stored[path].dtype} and shape {stored[path].shape}, "
                f"expected {values.dtype} and {values.shape}"
            )


def check_errors(arrays: Mapping[str, Described]) -> None:
    """Check that no standard error and no residual is negative.

    Raises:
        InputError: One is.
    """
    for path, array in arrays.items():
        values = np.asarray(array.values)
        if values.dtype.kind != "f":
            continue
        if array.axes and array.axes[-1] in _VALUE_AND_ERROR:
            values = values[..., 1]
        elif not path.endswith(_ERROR_NAMES):
            continue
        if (values < 0).any():
            raise InputError(f"{path} has a negative error")


def check_increasing(name: str, coordinates: NDArray[Any]) -> None:
    """Check that coordinates are finite and in increasing order.

    Raises:
        InputError: They are not.
    """
    if coordinates.ndim != 1 or not len(coordinates) or coordinates.dtype.kind not in "iuf":
        raise InputError(f"{name} is not a row of numbers")
    if not np.isfinite(coordinates).all() or (np.diff(coordinates) <= 0).any():
        raise InputError(f"{name} is not finite and increasing")


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _kind(values: NDArray[Any]) -> str:
    return "text" if values.dtype.kind in "OU" else values.dtype.kind
