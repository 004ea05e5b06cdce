"""The types beside tensors that a torch file may hold without ``--trust``.

Training scripts keep numbers, paths, dates and their command line beside the weights. Making an
object of these types runs no code that comes from the file, reads nothing and allocates nothing
large. What is more than such a container of values needs ``--trust``.
"""

import argparse
import datetime
import importlib
import pathlib
import types
from typing import Any

import numpy as np

_NUMBERS = (
    "?",
    "b",
    "B",
    "h",
    "H",
    "i",
    "I",
    "l",
    "L",
    "q",
    "Q",
    "e",
    "f",
    "d",
    "F",
    "D",
    "S",
    "U",
)
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


def _numpy_types() -> list[Any]:
    """Numbers and arrays of numbers, under the names of numpy 1 and 2."""
    try:
        core = importlib.import_module("numpy._core.multiarray")
    except ImportError:  # numpy 1
        core = importlib.import_module("numpy.core.multiarray")
    named = [
        (getattr(core, function), f"numpy.{package}.multiarray.{function}")
        for package in ("core", "_core")
        for function in ("scalar", "_reconstruct")
    ]
    kinds = {type(np.dtype(code)) for code in _NUMBERS}
    return [*named, np.dtype, np.ndarray, *kinds]
