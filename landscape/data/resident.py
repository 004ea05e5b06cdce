"""Any data set or iterable of batches, read once into batches on one device."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from landscape.data.batches import Batch, map_tensors
from landscape.data.structures import (
    common_length,
    is_divisible,
    map_structure,
    tensors_in,
    type_in,
)
from landscape.errors import InputError
from landscape.runtime.devices import free_memory

# Data that have no length are refused as endless after so many samples, or where they take this
# share of the free memory, unless a number of samples is asked for.
LONGEST_WITHOUT_LENGTH = 100_000
SHARE_OF_MEMORY = 0.5


def resident_batches(
    data: Any,
    batch_size: int,
    device: torch.device,
    dtype: torch.dtype | None,
    *,
    is_step: bool = False,
    whole: bool = False,
    samples: int = 0,
) -> list[Batch]:
    """Read data once into batches on one device.

    Args:
        data: a pair of tensors or arrays (inputs, targets), a map-style dataset of samples
            (input, target), or an iterable of (inputs, targets) batches such as a DataLoader. For
            a training step batches may be of any kind, and None is a loss without data.
        batch_size: of pairs and datasets; the batches of an iterable stay the same.
        device: where the batches are kept.
        dtype: what floating tensors are converted to, if given.
        is_step: whether batches are passed to a training step as they come.
        whole: whether batches have to stay in one piece; unbatched data become one batch.
        samples: read no more than so many samples; 0 reads all.

    Raises:
        InputError: for data of another form, without samples, or without an end.
    """

    def prepare(tensor: Tensor) -> Tensor:
        # A copy, since a loader may reuse its buffer, and the user may change their tensors.
        kind = tensor.dtype if dtype is None else type_in(tensor, dtype)
        return tensor.detach().to(device, kind, copy=True)

    if data is None and is_step:
        return [Batch(None, None, 1, is_whole=True)]
    make = _step_batch if is_step else _pair_batch
    batches: list[Batch] = []
    count = size_in_bytes = 0
    most_bytes = SHARE_OF_MEMORY * free_memory(device)
    for item in _batches(data, batch_size, is_step=is_step, whole=whole, samples=samples):
        batch = make(item, prepare, whole=whole)
        if not batch.size:
            continue
        if samples and count + batch.size > samples and not batch.is_whole:
            batch = batch.slice(0, samples - count)
        batches.append(batch)
        count += batch.size
        if samples and count >= samples:
            break
        size_in_bytes += _bytes_of(batch)
        is_long = count >= LONGEST_WITHOUT_LENGTH or size_in_bytes > most_bytes
        if is_long and not samples and not hasattr(data, "__len__"):
            raise InputError(
                f"the data have no length and did not end after {count:,} samples, which take "
                f"{size_in_bytes / 1e9:.1f} GB of memory; say how many to read: samples=N "
                "(--samples N)"
            )
    if not batches:
        raise InputError("the data holds no samples")
    return batches


def is_batched(data: Any) -> bool:
    """Whether ``data`` comes in batches, rather than as tensors or single samples."""
    return not (isinstance(data, Tensor | np.ndarray) or _is_pair(data) or _is_dataset(data))


def _pair_batch(item: Any, prepare: Callable[[Tensor], Tensor], *, whole: bool) -> Batch:
    if isinstance(item, Mapping) and "labels" in item:  # a Hugging Face batch, which is one dict
        item = (item, item["labels"])
    if not isinstance(item, tuple | list) or len(item) != 2:
        kind = type(item).__name__
        if isinstance(item, tuple | list):
            kind += f" of {len(item)}"
        raise InputError(
            f"a batch has to be a pair (inputs, targets), got {kind}; pass a tuple (inputs, "
            "targets) of all samples, a list of such batches, or step=f(model, batch), which takes "
            "batches of any kind"
        )
    inputs, targets = (map_tensors(prepare, structure) for structure in item)
    size = _leading_dimension(targets)
    sizes = {len(tensor) for tensor in tensors_in(inputs) if tensor.dim()}
    whole = whole or not (is_divisible(inputs) and is_divisible(targets))
    if sizes != {size} and not whole:
        raise InputError(
            f"a batch has {size} targets but inputs of {sorted(sizes)} samples; pass "
            "batching='whole' if a batch is one graph or its samples belong together"
        )
    return Batch(inputs, targets, size, is_whole=whole)


def _step_batch(item: Any, prepare: Callable[[Tensor], Tensor], *, whole: bool) -> Batch:
    size = common_length(item)
    prepared = map_structure(prepare, item)
    return Batch(prepared, None, 1 if size is None else size, is_whole=whole or size is None)


def _batches(
    data: Any, batch_size: int, *, is_step: bool, whole: bool, samples: int
) -> Iterable[Any]:
    if _is_pair(data):
        inputs, targets = data
        return [data] if whole else _cut_pair(inputs, targets, batch_size)
    if isinstance(data, Tensor) and is_step and data.dim():
        return [data] if whole else data.split(batch_size)
    if isinstance(data, Mapping) and (is_step or "labels" in data):
        return [data]
    if isinstance(data, Mapping):
        raise InputError(
            f"data is a dict with keys {', '.join(map(str, list(data)[:4]))}; "
            "pass (inputs, targets), a Dataset or an iterable of batches"
        )
    if _is_dataset(data):
        return _read_dataset(data, batch_size, whole=whole, samples=samples)
    if is_step and (is_dataclass(data) or not isinstance(data, Iterable)):
        return [data]
    if isinstance(data, Tensor) or not isinstance(data, Iterable):
        raise InputError(
            "data has to be a pair of tensors, a Dataset or an iterable of batches, "
            f"got {type(data).__name__}"
        )
    return data


def _is_pair(data: Any) -> bool:
    """Whether data are (inputs, targets) of all samples; a tuple of two batches is not."""
    if not isinstance(data, tuple) or len(data) != 2:
        return False
    inputs, targets = data
    if not isinstance(targets, Tensor | np.ndarray):
        return False
    if isinstance(inputs, Tensor | np.ndarray):
        return True
    return isinstance(inputs, Mapping | tuple | list) and any(True for _ in tensors_in(inputs))


def _cut_pair(inputs: Any, targets: Any, batch_size: int) -> Iterator[tuple[Any, Any]]:
    inputs, targets = (
        torch.from_numpy(item) if isinstance(item, np.ndarray) else item
        for item in (inputs, targets)
    )
    tensors = list(tensors_in(inputs))
    if any(tensor.dim() == 0 for tensor in (*tensors, targets)):
        raise InputError("inputs and targets need a batch dimension, got a scalar")
    for tensor in tensors:
        if len(tensor) != len(targets):
            raise InputError(f"{len(tensor)} inputs do not match {len(targets)} targets")

    def rows(start: int) -> Callable[[Tensor], Tensor]:
        return lambda tensor: tensor[start : start + batch_size]

    for start in range(0, len(targets), batch_size):
        yield map_structure(rows(start), inputs), targets[start : start + batch_size]


def _read_dataset(data: Any, batch_size: int, *, whole: bool, samples: int) -> Iterator[Any]:
    if whole:
        batch_size = len(data) if hasattr(data, "__len__") else samples or LONGEST_WITHOUT_LENGTH
    return iter(DataLoader(data, batch_size=max(batch_size, 1), shuffle=False))


def _is_dataset(data: Any) -> bool:
    is_samples = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    if isinstance(data, Tensor | Mapping):
        return False
    return isinstance(data, Dataset) or (is_samples and not isinstance(data, tuple | list))


def _leading_dimension(structure: Any) -> int:
    tensors = list(tensors_in(structure))
    if not tensors or tensors[0].dim() == 0:
        raise InputError(
            "targets have to have a batch dimension, got a scalar; the data looks like single "
            "samples: wrap them in a torch Dataset or a DataLoader"
        )
    return len(tensors[0])


def _bytes_of(batch: Batch) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors_in(batch.as_given))
