"""Groups of parameters: sets of whole tensors, or of rows of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.errors import InputError
from landscape.parameters.layout import ParameterLayout


@dataclass(frozen=True)
class Group:
    """Some entries of theta.

    Attributes:
        stretches: where they are, as pairs ``(start, stop)`` in order and without overlap.
    """

    stretches: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, stretches: Iterable[tuple[int, int]]) -> "Group":
        """The group of stretches in any order, of which adjacent ones are merged.

        Raises:
            InputError: for an empty group, and for stretches that overlap.
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
        """The number of scalars in the group."""
        return sum(stop - start for start, stop in self.stretches)

    def gather(self, flat: Tensor) -> Tensor:
        """The group's rows, of shape (size, ...), of a tensor of shape (P, ...)."""
        return torch.cat([flat[start:stop] for start, stop in self.stretches])

    def scatter(self, rows: Tensor, length: int) -> Tensor:
        """A tensor of shape (length, ...) with the group's ``rows`` (size, ...), and zeros else."""
        flat = rows.new_zeros(length, *rows.shape[1:])
        lengths = [stop - start for start, stop in self.stretches]
        for (start, stop), piece in zip(self.stretches, rows.split(lengths), strict=True):
            flat[start:stop] = piece
        return flat

    def tensors(self, layout: ParameterLayout) -> list[int]:
        """The numbers of the layout's tensors that have entries in the group."""
        return [
            number
            for number, (first, last) in enumerate(layout.stretches)
            if any(start < last and first < stop for start, stop in self.stretches)
        ]


def tensors_group(layout: ParameterLayout, numbers: Iterable[int]) -> Group:
    """The group of whole tensors, given by their numbers in the layout."""
    return Group.of(layout.stretches[number] for number in numbers)


def groups_by_pattern(layout: ParameterLayout, patterns: Mapping[str, str]) -> dict[str, Group]:
    """Groups of the tensors whose names match a regular expression anywhere.

    Args:
        layout: the tensors of theta.
        patterns: regular expressions by group name.

    Returns:
        A group of whole tensors for each pattern.

    Raises:
        InputError: for an invalid regular expression, and for one that matches no name.
    """
    return {name: _matching(layout, pattern) for name, pattern in patterns.items()}


def _matching(layout: ParameterLayout, pattern: str) -> Group:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"expected a regular expression, got {pattern!r}, which is invalid: {error}"
        ) from error
    numbers = [number for number, name in enumerate(layout.names) if compiled.search(name)]
    if not numbers:
        raise InputError(
            f"no parameter's name matches {pattern!r}; the names are {_sample(layout.names)}"
        )
    return tensors_group(layout, numbers)


def _sample(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown}, ... {names[-1]}"
