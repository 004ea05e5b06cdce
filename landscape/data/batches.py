"""Any data set or iterable of batches, as batches that are kept on one device."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from landscape.errors import InputError


@dataclass(frozen=True)
class Batch:
    """Some samples.

    Attributes:
        inputs: a tensor, or a tuple or dict of tensors.
        targets: likewise.
        size: how many samples.
    """

    inputs: Any
    targets: Any
    size: int

    def slice(self, start: int, stop: int) -> "Batch":
        """The samples from ``start`` to before ``stop``."""

        def rows(tensor: Tensor) -> Tensor:
            return tensor[start:stop]

        inputs, targets = map_tensors(rows, self.inputs), map_tensors(rows, self.targets)
        return Batch(inputs, targets, stop - start)

    def take(self, indices: Tensor) -> "Batch":
        """The samples at ``indices``."""

        def rows(tensor: Tensor) -> Tensor:
            return tensor[indices.to(tensor.device)]

        inputs, targets = map_tensors(rows, self.inputs), map_tensors(rows, self.targets)
        return Batch(inputs, targets, len(indices))


def resident_batches(
    data: Any, batch_size: int, device: torch.device, dtype: torch.dtype | None
) -> list[Batch]:
    """Read data once into batches on one device.

    Args:
        data: a pair of tensors or arrays (inputs, targets), a map-style dataset of samples
            (input, target), or an iterable of (inputs, targets) batches such as a DataLoader.
        batch_size: of pairs and datasets; the batches of an iterable stay the same.
        device: where the batches are kept.
        dtype: what floating tensors are converted to, if given.

    Raises:
        InputError: for data of another form, and for data without samples.
    """

    def prepare(tensor: Tensor) -> Tensor:
        # A copy, since a loader may reuse its buffer, and the user may change their tensors.
        return tensor.detach().to(device, dtype if tensor.is_floating_point() else None, copy=True)

    batches = []
    for item in _batches(data, batch_size):
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise InputError(
                f"a batch has to be a pair (inputs, targets), got {type(item).__name__}"
            )
        inputs, targets = (map_tensors(prepare, structure) for structure in item)
        size = _leading_dimension(targets)
        sizes = {len(tensor) for tensor in tensors_of(inputs) if tensor.dim()}
        if sizes != {size}:
            raise InputError(f"a batch has {size} targets but inputs of {sorted(sizes)} samples")
        if size:
            batches.append(Batch(inputs, targets, size))
    if not batches:
        raise InputError("the data holds no samples")
    return batches


def is_batched(data: Any) -> bool:
    """Whether ``data`` comes in batches, rather than as tensors or single samples."""
    is_pair = isinstance(data, tuple) and len(data) == 2
    if is_pair and all(isinstance(item, np.ndarray | Tensor) for item in data):
        return False
    return not _is_dataset(data)


def rebatch(batches: Sequence[Batch], batch_size: int) -> list[Batch]:
    """The same samples in batches of another size."""
    if {batch.size for batch in batches[:-1]} <= {batch_size} and batches[-1].size <= batch_size:
        return list(batches)
    merged = merge(batches)
    starts = range(0, merged.size, batch_size)
    return [merged.slice(start, min(start + batch_size, merged.size)) for start in starts]


def merge(batches: Sequence[Batch]) -> Batch:
    """All samples in one batch."""
    return Batch(
        _concatenate([batch.inputs for batch in batches]),
        _concatenate([batch.targets for batch in batches]),
        sum(batch.size for batch in batches),
    )


def _concatenate(structures: Sequence[Any]) -> Any:
    first = structures[0]
    if isinstance(first, Tensor):
        return torch.cat(list(structures))
    if isinstance(first, Mapping):
        return {key: _concatenate([item[key] for item in structures]) for key in first}
    return tuple(_concatenate(items) for items in zip(*structures, strict=True))


def map_tensors(function: Callable[[Tensor], Tensor], structure: Any) -> Any:
    """Apply ``function`` to each tensor of a tensor, tuple, list or dict of tensors."""
    if isinstance(structure, Tensor):
        return function(structure)
    if isinstance(structure, Mapping):
        return {key: map_tensors(function, value) for key, value in structure.items()}
    if isinstance(structure, tuple | list):
        return tuple(map_tensors(function, value) for value in structure)
    raise InputError(
        f"batches have to be made of tensors, got {type(structure).__name__}; "
        "pass an iterable of (inputs, targets) batches or a torch Dataset of samples"
    )


def tensors_of(structure: Any) -> list[Tensor]:
    """The tensors of a structure, in order."""
    tensors: list[Tensor] = []

    def collect(tensor: Tensor) -> Tensor:
        tensors.append(tensor)
        return tensor

    map_tensors(collect, structure)
    return tensors


def _batches(data: Any, batch_size: int) -> Iterable[Any]:
    is_pair = isinstance(data, tuple) and len(data) == 2
    if is_pair and all(isinstance(item, np.ndarray) for item in data):
        data = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    if is_pair and all(isinstance(item, Tensor) for item in data):
        inputs, targets = data
        if inputs.dim() == 0 or targets.dim() == 0:
            raise InputError("inputs and targets need a batch dimension, got a scalar")
        if len(inputs) != len(targets):
            raise InputError(f"{len(inputs)} inputs do not match {len(targets)} targets")
        return zip(inputs.split(batch_size), targets.split(batch_size), strict=True)
    if isinstance(data, Mapping):
        raise InputError(
            f"data is a dict with keys {', '.join(map(str, list(data)[:4]))}; "
            "pass (inputs, targets), a Dataset or an iterable of batches"
        )
    if _is_dataset(data):
        return DataLoader(data, batch_size=batch_size, shuffle=False)
    if not isinstance(data, Iterable):
        raise InputError(
            "data has to be a pair of tensors, a Dataset or an iterable of batches, "
            f"got {type(data).__name__}"
        )
    return data


def _is_dataset(data: Any) -> bool:
    is_samples = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    return isinstance(data, Dataset) or (is_samples and not isinstance(data, tuple | list))


def _leading_dimension(structure: Any) -> int:
    tensor = tensors_of(structure)[0]
    if tensor.dim() == 0:
        raise InputError(
            "targets have to have a batch dimension, got a scalar; the data looks like single "
            "samples: wrap them in a torch Dataset or a DataLoader"
        )
    return len(tensor)
