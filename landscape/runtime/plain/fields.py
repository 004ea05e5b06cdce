"""Whether the fields of a dataclass hold values of the types that they are annotated with.

Python does not check them, and what comes from a file can be anything.
"""

import dataclasses
import typing
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from landscape.errors import InputError
from landscape.runtime.plain.values import describe, is_of_type


def field_types(kind: type[Any]) -> Mapping[str, Any]:
    """The types that the fields of a dataclass are annotated with, by name."""
    return _cached_types(kind)  # type: ignore[arg-type] # a class is hashable, whatever it is of


@cache
def _cached_types(kind: type[Any]) -> Mapping[str, Any]:
    return MappingProxyType(typing.get_type_hints(kind))


def check_fields(instance: Any, path: str = "") -> None:
    """Check the fields of a dataclass, and of dataclasses within, against their annotations.

    Args:
        instance: of a dataclass.
        path: where it stands, for the message.

    Raises:
        InputError: A value is of another type.
    """
    hints = field_types(type(instance))
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        place = f"{path}{field.name}"
        if not is_of_type(value, hints[field.name]):
            is_array = isinstance(value, np.ndarray)
            shown = f"an array of {value.dtype}" if is_array else describe(value)
            raise InputError(f"{place} is {shown}, expected {hints[field.name]}")
        for item in value.values() if isinstance(value, Mapping) else (value,):
            if dataclasses.is_dataclass(item) and not isinstance(item, type):
                check_fields(item, f"{place}.")
