"""What the arrays of a stored line or plane are."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray


def relative_error_names(arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...] | None:
    """The names of errors that are relative; None for files that have errors and don't say so."""
    if "relative_errors" in arrays:
        return tuple(map(str, arrays["relative_errors"]))
    return None if under(arrays, "error") else ()


def under(arrays: Mapping[str, NDArray[Any]], folder: str) -> dict[str, NDArray[Any]]:
    """The arrays of a folder of a file, by their names in it."""
    prefix = f"{folder}/"
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }
