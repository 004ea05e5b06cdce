"""Tensors within structures of any kind: what a training step takes as its batch."""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


def map_structure(function: Callable[[Tensor], Tensor], structure: Any) -> Any:
    """A copy of a structure with ``function`` applied to each of its tensors.

    Tuples, named tuples, lists, mappings of any class, dataclasses, packed sequences and other
    objects that hold tensors as attributes keep their type; everything else is returned as it is.
    """
    if isinstance(structure, Tensor):
        return function(structure)
    if isinstance(structure, PackedSequence):
        # The lengths have to stay on the CPU.
        indices = (structure.sorted_indices, structure.unsorted_indices)
        moved = (None if tensor is None else function(tensor) for tensor in indices)
        return PackedSequence(function(structure.data), structure.batch_sizes, *moved)
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(map_structure(function, item) for item in structure))
    if type(structure) in (tuple, list):
        return type(structure)(map_structure(function, item) for item in structure)
    if isinstance(structure, Mapping):
        return _with_items(structure, function)
    if _holds_tensors(structure):
        changed = copy.copy(structure)
        for name, value in vars(structure).items():
            object.__setattr__(changed, name, map_structure(function, value))
        return changed
    return structure


def type_in(tensor: Tensor, dtype: torch.dtype) -> torch.dtype:
    """The type of a tensor in the precision of ``dtype``: complex and other numbers stay such."""
    if tensor.is_complex():
        return torch.complex128 if dtype == torch.float64 else torch.complex64
    return dtype if tensor.is_floating_point() else tensor.dtype


def tensors_in(structure: Any) -> Iterator[Tensor]:
    """The tensors of a structure, in order."""
    tensors: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        tensors.append(tensor)
        return tensor

    map_structure(note, structure)
    return iter(tensors)


def common_length(structure: Any) -> int | None:
    """The first dimension that all tensors of a structure share; None if there is none.

    Structures that could not be cut along it (packed sequences, sparse tensors, objects) have none.
    """
    if not is_divisible(structure):
        return None
    tensors = list(tensors_in(structure))
    lengths = {len(tensor) if tensor.dim() else -1 for tensor in tensors}
    return lengths.pop() if len(lengths) == 1 and -1 not in lengths else None


def is_divisible(structure: Any) -> bool:
    """Whether a structure is of dense tensors in tuples, lists and mappings alone."""
    if isinstance(structure, Tensor):
        return structure.layout == torch.strided
    if isinstance(structure, PackedSequence):
        return False
    if isinstance(structure, Mapping):
        return all(map(is_divisible, structure.values()))
    if isinstance(structure, tuple | list):
        return all(map(is_divisible, structure))
    return False


def _with_items(mapping: Mapping[Any, Any], function: Callable[[Tensor], Tensor]) -> Any:
    items = {key: map_structure(function, value) for key, value in mapping.items()}
    if type(mapping) is dict:
        return items
    try:
        changed: Any = copy.copy(mapping)
        for key, value in items.items():
            changed[key] = value
    except TypeError:  # a mapping that can't be written to
        return items
    return changed


def _holds_tensors(structure: Any) -> bool:
    """Whether an object has tensors among its attributes, or in structures there."""
    if dataclasses.is_dataclass(structure) and not isinstance(structure, type):
        return True
    if isinstance(structure, type) or callable(structure) or not hasattr(structure, "__dict__"):
        return False
    return any(
        isinstance(value, Tensor | Mapping) or hasattr(value, "__dict__")
        for value in vars(structure).values()
    )
