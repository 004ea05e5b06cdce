"""Batches for training and evaluation: order of the samples, random seeds, and reading ahead."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
from torch import Tensor

from landscape.data.samples import Samples, TensorSamples


def to_device(samples: Samples, device: torch.device, dtype: torch.dtype) -> Samples:
    """Move samples in memory to the device, floats as ``dtype``; others are moved by batch."""
    if isinstance(samples, TensorSamples):
        inputs = samples.inputs
        kind = dtype if inputs.is_floating_point() else None
        return replace(samples, inputs=inputs.to(device, kind), targets=samples.targets.to(device))
    return samples


def steps_per_epoch(samples: Samples, batch_size: int) -> int:
    """The number of full batches, at least 1: BatchNorm can't normalise a batch of one sample."""
    return max(1, len(samples) // batch_size)


def epoch_order(samples: Samples, seed: int, epoch: int) -> Tensor:
    """The order of the samples in an epoch, which depends on seed and epoch only."""
    generator = torch.Generator().manual_seed(stream_seed(seed, epoch))
    return torch.randperm(len(samples), generator=generator)


def stream_seed(*keys: int) -> int:
    """A 63-bit seed from several numbers, such that streams of different keys don't overlap."""
    mixed = 0
    for key in keys:
        # The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
        mixed = (mixed + key + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        mixed ^= mixed >> 31
    return mixed >> 1


def batches(
    samples: Samples,
    index_batches: list[Tensor],
    device: torch.device,
    fetch: Callable[[Tensor, int], Tensor] | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The inputs and targets of some batches.

    Samples that are not in memory are read in the background, one batch ahead.

    Args:
        samples: what is read.
        index_batches: the indices of the samples of each batch.
        device: where the batches are put.
        fetch: reads the inputs of a batch, given its indices and its number; by default
            ``samples.fetch``.

    Yields:
        Pairs (inputs, targets) on ``device``.
    """

    def read(number: int) -> tuple[Tensor, Tensor]:
        indices = index_batches[number].to(samples.targets.device)
        inputs = samples.fetch(indices) if fetch is None else fetch(indices, number)
        targets = samples.targets[indices]
        return inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)

    numbers = range(len(index_batches))
    if isinstance(samples, TensorSamples):
        yield from map(read, numbers)
        return
    with ThreadPoolExecutor(1) as reader:
        upcoming = reader.submit(read, 0) if index_batches else None
        for number in numbers:
            assert upcoming is not None
            ready = upcoming.result()
            upcoming = reader.submit(read, number + 1) if number + 1 < len(numbers) else None
            yield ready
