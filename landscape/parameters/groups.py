"""Parts of theta: sets of whole tensors, or of rows of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.errors import InputError
from landscape.parameters.layout import ParameterLayout


@dataclass(frozen=True)
class Group:
    """The entries of theta in some stretches ``(start, stop)``, in order and without overlap."""

    stretches: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, stretches: Iterable[tuple[int, int]]) -> "Group":
        """Stretches in any order; those that meet become one.

        Raises InputError for an empty group and for one that names an entry twice.
        """
        merged: list[tuple[int, int]] = []
        for start, stop in sorted(stretches):
            if merged and start < merged[-1][1]:
                raise InputError(f"a group names parameter {start} twice")
            if merged and start == merged[-1][1]:
                merged[-1] = merged[-1][0], stop
            else:
                merged.append((start, stop))
        if not merged:
            raise InputError("a group needs at least one parameter")
        return cls(tuple(merged))

    @property
    def size(self) -> int:
        """How many scalars it has."""
        return sum(stop - start for start, stop in self.stretches)

    def gather(self, flat: Tensor) -> Tensor:
        """Its rows, of shape (size, ...), of ``flat`` of shape (P, ...)."""
        return torch.cat([flat[start:stop] for start, stop in self.stretches])

    def scatter(self, rows: Tensor, length: int) -> Tensor:
        """``rows`` of shape (size, ...) in their places among zeros, of shape (length, ...)."""
        flat = rows.new_zeros(length, *rows.shape[1:])
        lengths = [stop - start for start, stop in self.stretches]
        for (start, stop), part in zip(self.stretches, rows.split(lengths), strict=True):
            flat[start:stop] = part
        return flat

    def tensors(self, layout: ParameterLayout) -> list[int]:
        """The numbers of the layout's tensors that it touches."""
        return [
            number
            for number, (first, last) in enumerate(layout.stretches)
            if any(start < last and first < stop for start, stop in self.stretches)
        ]


def tensors_group(layout: ParameterLayout, numbers: Iterable[int]) -> Group:
    """The group of whole tensors, given by their numbers in the layout."""
    return Group.of(layout.stretches[number] for number in numbers)


def groups_by_pattern(layout: ParameterLayout, patterns: Mapping[str, str]) -> dict[str, Group]:
    """For each NAME: PATTERN the tensors in whose name the regular expression is found.

    Raises InputError for a pattern that is none, or that no name fits.
    """
    return {name: _matching(layout, pattern) for name, pattern in patterns.items()}


def _matching(layout: ParameterLayout, pattern: str) -> Group:
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise InputError(f"{pattern!r} is no regular expression: {error}") from error
    numbers = [number for number, name in enumerate(layout.names) if found.search(name)]
    if not numbers:
        raise InputError(
            f"no parameter's name has {pattern!r} in it; the names are {_sample(layout.names)}"
        )
    return tensors_group(layout, numbers)


def _sample(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown}, ... {names[-1]}"
