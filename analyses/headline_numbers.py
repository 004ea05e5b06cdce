"""The headline numbers of a result one by one, each with its error and unit.

In a result's JSON the error of a number is an entry beside it: ``loss_stderr`` of ``loss``,
``sampling_error`` of ``eigenvalue``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import nan
from typing import Any

from landscape.results.result import Result, plain

Path = tuple[str | int, ...]
Scalar = bool | int | float | str | None

# NAME_stderr is the error of NAME, and so on.
_ERROR_ENDS = ("_stderr", "_sampling_error", "_error")
# Errors under other names, and what stands beside each of them that it may be the error of.
_ERRORS_OF = {
    "stderr": ("mean", "condition_number", "layers"),
    "sampling_error": ("eigenvalue",),
    "error": ("ratio",),
    "block_stderr": ("block_lambda",),
}


@dataclass(frozen=True)
class HeadlineEntry:
    """A number, word or truth value among the headline numbers of a result.

    Attributes:
        path: the keys, and places in lists, that lead to it.
        value: None where it is not known.
        error: its standard error; nan where that is not known, None where none is stated.
        unit: empty where it has none or none is known.
    """

    path: Path
    value: Scalar
    error: float | None = None
    unit: str = ""

    @property
    def name(self) -> str:
        """The path in words, such as ``lambda_max.eigenvalue`` and ``eigenvalues[0]``."""
        return name_of_path(self.path)

    @property
    def number(self) -> float | None:
        """The value if it is a number, which a truth value is not."""
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return float(self.value) if is_number and self.value is not None else None


def headline_entries(result: Result) -> list[HeadlineEntry]:
    """What the JSON of a result holds, in its order; errors are with their numbers.

    Example:
        >>> [(entry.name, entry.value) for entry in headline_entries(result)][:2]
        [('split', 'train'), ('loss', 1.2421370983123778)]
    """
    of_arrays = {name.replace("/", "."): array.unit for name, array in result.arrays().items()}
    of_names = result.headline_units()
    entries = _entries((), plain(result.headline()), None)
    return [replace(entry, unit=_unit(entry.path, of_arrays, of_names)) for entry in entries]


def name_of_path(path: Path) -> str:
    """Keys and places in lists as one name."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def _entries(path: Path, value: Any, error: Any) -> Iterator[HeadlineEntry]:
    """Every entry of JSON types, with errors that have the same structure."""
    if isinstance(value, dict):
        error_names = _error_names(value)
        for key, item in value.items():
            if key in error_names.values():
                continue
            if key in error_names:
                beside = _or_unknown(value[error_names[key]])
            else:
                beside = error.get(key) if isinstance(error, dict) else None
            yield from _entries((*path, key), item, beside)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            beside = error[place] if isinstance(error, list) else None
            yield from _entries((*path, place), item, beside)
    else:
        yield HeadlineEntry(path, value, error)


def _or_unknown(error: Any) -> Any:
    """An error of JSON types, in which null is one that is not known."""
    if isinstance(error, dict):
        return {key: _or_unknown(item) for key, item in error.items()}
    if isinstance(error, list):
        return [_or_unknown(item) for item in error]
    return nan if error is None else error


def _error_names(mapping: Mapping[str, Any]) -> dict[str, str]:
    """The name of the error of each entry that has one."""
    names: dict[str, str] = {}
    for error in mapping:
        stems = [error.removesuffix(end) for end in _ERROR_ENDS if error.endswith(end)]
        for name in (*stems, *_ERRORS_OF.get(error, ())):
            if name in mapping and name not in names and _is_alike(mapping[name], mapping[error]):
                names[name] = error
                break
    return names


def _is_alike(value: Any, error: Any) -> bool:
    """Whether each number of one belongs to one of the other."""
    if isinstance(value, dict) and isinstance(error, dict):
        return value.keys() == error.keys()
    if isinstance(value, list) and isinstance(error, list):
        return len(value) == len(error)
    return all(
        part is None or (isinstance(part, int | float) and not isinstance(part, bool))
        for part in (value, error)
    )


def _unit(path: Path, of_arrays: Mapping[str, str], of_names: Mapping[str, str]) -> str:
    """The unit of the array of the same name, or of the innermost name that has one."""
    names = [part for part in path if isinstance(part, str)]
    whole = ".".join(names)
    if whole in of_arrays:
        return of_arrays[whole]
    return next((of_names[name] for name in reversed(names) if name in of_names), "")
