"""Whether the fields of a dataclass hold values of the types that they are annotated with.

Python does not check them, and what comes from a file can be anything.
"""

import dataclasses
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from landscape.errors import InputError

# The kinds of numpy's types that stand for each other: a count may be stored unsigned.
_KINDS = {"f": "f", "i": "iu", "u": "iu", "b": "b"}


def check_fields(instance: Any, path: str = "") -> None:
    """Check the fields of a dataclass, and of dataclasses within, against their annotations.

    Annotations that it does not know, such as those of callables, hold for every value.

    Args:
        instance: of a dataclass.
        path: where it stands, for the message.

    Raises:
        InputError: A value is of another type.
    """
    hints = typing.get_type_hints(type(instance))
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        place = f"{path}{field.name}"
        if not _fits(value, hints[field.name]):
            raise InputError(f"{place} is {_shown(value)}, expected {_named(hints[field.name])}")
        for item in value.values() if isinstance(value, Mapping) else (value,):
            if dataclasses.is_dataclass(item) and not isinstance(item, type):
                check_fields(item, f"{place}.")


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and _has_dtype(value, arguments[-1])
    if hint is None or hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    if hint in (int, float):
        numbers = (int, np.integer) if hint is int else (int, float, np.integer, np.floating)
        return isinstance(value, numbers) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if arguments[1:] == (...,):
            return all(_fits(item, arguments[0]) for item in value)
        pairs = zip(value, arguments, strict=False)
        return len(value) == len(arguments) and all(_fits(*pair) for pair in pairs)
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return isinstance(value, Mapping) and all(
            _fits(key, arguments[0]) and _fits(item, arguments[1]) for key, item in value.items()
        )
    if isinstance(origin, type) and issubclass(origin, Sequence | Collection):
        return isinstance(value, origin) and all(_fits(item, arguments[0]) for item in value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return isinstance(value, hint)
    return True


def _has_dtype(array: np.ndarray[Any, Any], hint: Any) -> bool:
    """Whether an array has a type such as ``np.dtype[np.float64]``, in any precision."""
    scalars = [s for s in typing.get_args(hint) if isinstance(s, type) and s is not Any]
    if not scalars or not issubclass(scalars[0], np.generic):
        return True
    return array.dtype.kind in _KINDS.get(np.dtype(scalars[0]).kind, array.dtype.kind)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _named(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
