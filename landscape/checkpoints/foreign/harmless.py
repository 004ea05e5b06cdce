"""The types beside tensors that a torch file may hold without ``--trust``.

Training scripts keep numbers, paths, dates and their command line beside the weights. Making an
object of these types runs no code that comes from the file, reads nothing and allocates nothing
large. What is more than such a container of values needs ``--trust``.
"""

import argparse
import datetime
import pathlib
import pickle
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

_FACTORIES = (list, dict, int, float, str, bool, tuple, frozenset)  # of a defaultdict
_RECORDS = (argparse.Namespace, types.SimpleNamespace)
_DATES = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone)


def harmless_types() -> list[Any]:
    """Types for :class:`torch.serialization.safe_globals`.

    A path becomes a pure one, which is only text, also where the file is from another system. A
    defaultdict becomes a dict and a deque a list: torch fills no other containers.
    """
    paths: list[Any] = []
    for module in ("pathlib", "pathlib._local"):  # _local: Python 3.13
        for name in ("PosixPath", "PurePosixPath", "Path"):
            paths.append((pathlib.PurePosixPath, f"{module}.{name}"))
        for name in ("WindowsPath", "PureWindowsPath"):
            paths.append((pathlib.PureWindowsPath, f"{module}.{name}"))
    containers = [(_new_dict, "collections.defaultdict"), (_new_list, "collections.deque")]
    return [*_RECORDS, *_DATES, *_FACTORIES, *containers, *paths, *_numpy_types()]


def _new_dict(*_factory: object) -> dict[Any, Any]:
    return {}


def _new_list(*_start_and_length: object) -> list[Any]:
    return []


class _NumberType:
    """Stands for ``numpy.dtype``: numbers and texts of the usual kinds alone."""

    def __init__(self, code: object, *_align_and_copy: object) -> None:
        self.type = np.dtype(str(code))
        if self.type.kind not in "biufcSU":
            raise pickle.UnpicklingError(f"Unsupported class numpy.dtype of kind {self.type.kind}")

    def __setstate__(self, state: Sequence[Any]) -> None:
        """Take the order of bytes from a dtype's state, and nothing else."""
        self.type = self.type.newbyteorder(state[1])


class _Numbers(np.ndarray[Any, Any]):
    """Stands for ``numpy.ndarray``: filled with a file's bytes, never made with a file's shape."""

    def __new__(cls, *_: object) -> "_Numbers":
        """Refuse what ``numpy.ndarray(shape, dtype, buffer)`` would make."""
        raise pickle.UnpicklingError("Unsupported class numpy.ndarray, called by the file itself")

    def __setstate__(self, state: Sequence[Any]) -> None:
        """Take shape, type and bytes of an array of numbers; numpy compares their sizes."""
        _, shape, kind, is_fortran, data = state
        super().__setstate__((1, shape, kind.type, is_fortran, data))


def _empty_array(*_class_shape_and_code: object) -> np.ndarray[Any, Any]:
    return np.ndarray.__new__(_Numbers, 0)


def _scalar(kind: _NumberType, data: bytes = b"") -> Any:
    return np.frombuffer(data, kind.type)[0] if kind.type.itemsize else kind.type.type()


def _numpy_types() -> list[Any]:
    """Numbers and arrays of numbers, under the names of numpy 1 and 2.

    None of numpy's own constructors sees what a file says: with a made-up type or buffer they read
    any place in memory.
    """
    functions = [
        (function, f"numpy.{package}.multiarray.{name}")
        for package in ("core", "_core")
        for name, function in (("scalar", _scalar), ("_reconstruct", _empty_array))
    ]
    return [*functions, (_NumberType, "numpy.dtype"), (_Numbers, "numpy.ndarray")]
