"""Values of JSON types: whether they are of the type that is wanted, and within bounds."""

import math
import types
import typing
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from landscape.errors import InputError

LARGEST_INTEGER = 2**63 - 1
LONGEST_TEXT = 10_000
DEEPEST = 20

# Of numpy's types: a count may be stored with or without a sign.
_ARRAY_KINDS = {"f": "f", "i": "iu", "u": "iu", "b": "b"}
_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    type(None): "null",
}
_NAMES_OF_SEVERAL: dict[Any, str] = {int: "whole numbers", float: "numbers", str: "texts"}


def check_bounds(value: Any, name: str, depth: int = 0) -> None:
    """Raise InputError for a value, at any depth, that no setting has.

    Numbers are finite and integers have 64 bits; texts are short and of printable signs; lists and
    objects are nested only so far.

    Args:
        value: Of JSON types.
        name: What it is called in messages; entries are called ``name.key``.
        depth: How deep it lies.
    """
    problem = ""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            problem = "a number of at most 64 bits"
    elif isinstance(value, float):
        if not math.isfinite(value):
            problem = "a finite number"
    elif isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            problem = f"a text of at most {LONGEST_TEXT:,} signs"
        elif _has_control_signs(value):
            problem = "a text without control characters"
    elif depth == DEEPEST:
        problem = f"nothing that is nested over {DEEPEST} times"
    else:
        for key, item in _entries(value):
            if len(key) > LONGEST_TEXT or _has_control_signs(key):
                raise InputError(
                    f"{name or 'the top level'} has the key {ascii(key[:40])}; expected a short "
                    "one without control characters"
                )
            check_bounds(item, f"{name}.{key}" if name else key, depth + 1)
    if problem:
        raise InputError(f"{name} has to be {problem}, got {describe(value)}")


def of_type(value: Any, wanted: Any, name: str) -> Any:
    """A value of JSON types as a setting of a type; lists become tuples.

    Args:
        value: Of JSON types.
        wanted: ``int``, ``float`` (which takes whole numbers, too), ``bool``, ``str``, tuples,
            sequences and unions of these, or mappings. Any value is of any other type.
        name: What it is called in messages.

    Raises:
        InputError: It is of another type.

    Example:
        >>> of_type([1, 0.5], tuple[float, ...], "radii")
        (1, 0.5)
    """
    if not is_of_type(value, wanted):
        raise InputError(f"{name} has to be {_describe_type(wanted)}, got {describe(value)}")
    return tuple(value) if isinstance(value, list) else value


def is_of_type(value: Any, wanted: Any) -> bool:
    """Whether a value is of a type; any value is of one that this function does not know.

    Args:
        value: Of JSON types, or an array.
        wanted: As for :func:`of_type`; an array type such as ``NDArray[np.float64]``, which takes
            all precisions.
    """
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return any(is_of_type(value, part) for part in parts)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and _has_dtype(value, parts[-1])
    if origin in (tuple, Sequence, list):
        if not isinstance(value, list | tuple):
            return False
        if origin is tuple and parts[-1:] != (Ellipsis,):
            return len(value) == len(parts) and all(map(is_of_type, value, parts))
        return all(is_of_type(item, parts[0]) for item in value)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted in (bool, str, type(None)):
        return isinstance(value, wanted)
    if _is_mapping(wanted):
        return isinstance(value, Mapping) and all(
            is_of_type(item, parts[-1]) for item in value.values() if parts
        )
    return True


def _has_dtype(array: np.ndarray[Any, Any], dtype: Any) -> bool:
    """Whether an array has a type such as ``np.dtype[np.float64]``, in any precision."""
    (scalar,) = typing.get_args(dtype) or (Any,)
    if not (isinstance(scalar, type) and issubclass(scalar, np.generic)):
        return True
    return array.dtype.kind in _ARRAY_KINDS.get(np.dtype(scalar).kind, array.dtype.kind)


def is_plain_type(wanted: Any) -> bool:
    """Whether a type is one that :func:`of_type` can tell, without parts of other types."""
    parts = typing.get_args(wanted)
    if typing.get_origin(wanted) in (tuple, Sequence, list, typing.Union, types.UnionType):
        return all(is_plain_type(part) for part in parts if part is not Ellipsis)
    return wanted in _NAMES or _is_mapping(wanted)


def describe(value: Any) -> str:
    """A value of JSON types in a few words of one line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"the text {ascii(value[:40])}" + (" ..." if len(value) > 40 else "")
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, Mapping):
        return f"an object of {len(value)}"
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return f"one of {value.bit_length():,} bits"
    return str(value)


def _is_mapping(wanted: Any) -> bool:
    origin = typing.get_origin(wanted) or wanted
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _describe_type(wanted: Any) -> str:
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_describe_type(part) for part in parts)
    if origin in (tuple, Sequence, list):
        count = "" if origin is not tuple or parts[-1:] == (Ellipsis,) else f"{len(parts)} "
        return f"a list of {count}{_NAMES_OF_SEVERAL.get(parts[0], 'values')}"
    return "an object" if _is_mapping(wanted) else _NAMES[wanted]


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return ((str(key), item) for key, item in value.items())
    return ((str(place), item) for place, item in enumerate(value))


def _has_control_signs(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)
