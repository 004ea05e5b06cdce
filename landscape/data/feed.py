"""Batches as they are needed: which samples, in which order, the next read while one is used."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
from torch import Tensor

from landscape.data.samples import Samples, TensorSamples


def to_device(samples: Samples, device: torch.device, dtype: torch.dtype) -> Samples:
    """Samples in memory move to the device once, floats as ``dtype``; others go by batch."""
    if isinstance(samples, TensorSamples):
        inputs = samples.inputs
        kind = dtype if inputs.is_floating_point() else None
        return replace(samples, inputs=inputs.to(device, kind), targets=samples.targets.to(device))
    return samples


def steps_per_epoch(samples: Samples, batch_size: int) -> int:
    """Full batches only: a last batch of one sample has no variance to normalise by."""
    return max(1, len(samples) // batch_size)


def epoch_order(samples: Samples, seed: int, epoch: int) -> Tensor:
    """The order of the samples in an epoch, a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(stream_seed(seed, epoch))
    return torch.randperm(len(samples), generator=generator)


def stream_seed(*keys: int) -> int:
    """One 63-bit seed from several numbers, so that streams of different keys don't overlap."""
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
    parts: list[Tensor],
    device: torch.device,
    fetch: Callable[[Tensor, int], Tensor] | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """(inputs, targets) on ``device`` for each of ``parts``, which are indices of samples.

    ``fetch`` reads the inputs of a part, given its indices and its number; the samples' own does
    by default. What does not lie in memory is read in the background, one batch ahead.
    """

    def read(number: int) -> tuple[Tensor, Tensor]:
        indices = parts[number].to(samples.targets.device)
        inputs = samples.fetch(indices) if fetch is None else fetch(indices, number)
        targets = samples.targets[indices]
        return inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)

    numbers = range(len(parts))
    if isinstance(samples, TensorSamples):
        yield from map(read, numbers)
        return
    with ThreadPoolExecutor(1) as reader:
        upcoming = reader.submit(read, 0) if parts else None
        for number in numbers:
            assert upcoming is not None
            ready = upcoming.result()
            upcoming = reader.submit(read, number + 1) if number + 1 < len(parts) else None
            yield ready
