"""Batches of samples: what a model takes, what a loss compares with, and what they count for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from landscape.data.structures import map_structure, tensors_in, type_in
from landscape.errors import InputError, NotMeasurableError


@dataclass(frozen=True)
class Batch:
    """Some samples.

    Attributes:
        inputs: a tensor, or a tuple or dict of tensors; for a training step the batch as it came.
        targets: likewise; None for the batch of a training step.
        size: how many samples.
        weigh: what a batch counts for in the mean over batches; by default its size.
        is_whole: whether it has to stay in one piece, because its samples are not independent or
            it is no structure of dense tensors that could be cut.

    Example:
        >>> batch = Batch(torch.zeros(5, 2), torch.arange(5), 5)
        >>> batch.slice(1, 3).targets
        tensor([1, 2])
        >>> batch.weight
        5.0
    """

    inputs: Any
    targets: Any
    size: int
    weigh: "Callable[[Batch], float] | None" = field(default=None, compare=False, repr=False)
    is_whole: bool = False

    @cached_property
    def weight(self) -> float:
        """What the batch's loss counts for in the mean over batches."""
        return float(self.size) if self.weigh is None else self.weigh(self)

    @property
    def as_given(self) -> Any:
        """The batch as the data gave it: for a training step, or as (inputs, targets)."""
        return self.inputs if self.targets is None else (self.inputs, self.targets)

    def slice(self, start: int, stop: int) -> "Batch":
        """The samples from ``start`` to before ``stop``."""
        return self._rows(lambda tensor: tensor[start:stop], stop - start)

    def take(self, indices: Tensor) -> "Batch":
        """The samples at ``indices``."""
        return self._rows(lambda tensor: tensor[indices.to(tensor.device)], len(indices))

    def in_two(self) -> "list[Batch]":
        """Both halves of the samples, as far as they count for anything; itself if it is whole."""
        if self.is_whole or self.size < 2:
            return [self]
        middle = (self.size + 1) // 2
        halves = self.slice(0, middle), self.slice(middle, self.size)
        return [half for half in halves if half.weight > 0]

    def in_precision(self, dtype: torch.dtype) -> "Batch":
        """The same samples, of the same weight, with floating tensors in this precision."""

        def cast(tensor: Tensor) -> Tensor:
            return tensor.to(type_in(tensor, dtype))

        inputs, targets = map_structure(cast, self.inputs), map_structure(cast, self.targets)
        return replace(self, inputs=inputs, targets=targets, weigh=lambda _: self.weight)

    def with_inputs(self, inputs: Any) -> "Batch":
        """The same samples with other inputs."""
        return replace(self, inputs=inputs)

    def _rows(self, rows: Callable[[Tensor], Tensor], size: int) -> "Batch":
        if self.is_whole:
            raise NotMeasurableError(
                "this takes single samples, and those of a whole batch depend on each other"
            )
        inputs, targets = map_structure(rows, self.inputs), map_structure(rows, self.targets)
        return replace(self, inputs=inputs, targets=targets, size=size)


def rebatch(batches: Sequence[Batch], batch_size: int) -> list[Batch]:
    """The same samples in batches of another size."""
    if {batch.size for batch in batches[:-1]} <= {batch_size} and batches[-1].size <= batch_size:
        return list(batches)
    merged = merge(batches)
    starts = range(0, merged.size, batch_size)
    return [merged.slice(start, min(start + batch_size, merged.size)) for start in starts]


def merge(batches: Sequence[Batch]) -> Batch:
    """All samples in one batch."""
    return replace(
        batches[0],
        inputs=_concatenate([batch.inputs for batch in batches]),
        targets=_concatenate([batch.targets for batch in batches]),
        size=sum(batch.size for batch in batches),
    )


def can_merge(first: Batch, second: Batch) -> bool:
    """Whether two batches differ in nothing but the number of their samples."""
    if first.is_whole or second.is_whole:
        return False
    shapes = [
        [(tensor.shape[1:], tensor.dtype) for tensor in tensors_in(batch.as_given)]
        for batch in (first, second)
    ]
    return shapes[0] == shapes[1]


def _concatenate(structures: Sequence[Any]) -> Any:
    first = structures[0]
    if isinstance(first, Tensor):
        return torch.cat(list(structures))
    if isinstance(first, Mapping):
        return {key: _concatenate([item[key] for item in structures]) for key in first}
    if not isinstance(first, tuple | list):
        return first
    return type(first)([_concatenate(items) for items in zip(*structures, strict=True)])


def map_tensors(function: Callable[[Tensor], Tensor], structure: Any) -> Any:
    """Apply ``function`` to each tensor of a tensor, tuple, list or dict of tensors."""
    if isinstance(structure, Tensor):
        return function(structure)
    if isinstance(structure, Mapping):
        return {key: map_tensors(function, value) for key, value in structure.items()}
    if type(structure) in (tuple, list):
        return tuple(map_tensors(function, value) for value in structure)
    if any(True for _ in tensors_in(structure)):  # a packed sequence, a named tuple, a dataclass
        return map_structure(function, structure)
    raise InputError(
        f"batches have to be made of tensors, got {type(structure).__name__}; "
        "pass an iterable of (inputs, targets) batches or a torch Dataset of samples, "
        "or step=f(model, batch), which takes batches of any kind"
    )
