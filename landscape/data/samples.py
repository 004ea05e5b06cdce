"""Labelled images, however they are stored: ``fetch`` gives any of them as normalised tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from landscape.errors import InputError


class Samples(Protocol):
    """N inputs with targets, read by index."""

    @property
    def targets(self) -> Tensor:
        """All N targets."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""

    @property
    def classes(self) -> Sequence[str]:
        """Class names by number; empty where the task has none."""

    def __len__(self) -> int: ...

    def fetch(self, indices: Tensor) -> Tensor:
        """The inputs at ``indices``, as floats ready for a model."""


@dataclass(frozen=True)
class Normalization:
    """Pixel values in [0, 1] become (value - mean) / std, by channel or for all channels."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalise (n, C, H, W) pixels; bytes are first divided by 255."""
        if pixels.dim() != 4:
            raise InputError(
                "--mean and --std are for pictures, not for inputs of shape "
                f"{tuple(pixels.shape[1:])}"
            )
        if pixels.dtype == torch.uint8:
            pixels = pixels.float() / 255
        mean, std = (self._by_channel(value, pixels) for value in (self.mean, self.std))
        return (pixels - mean) / std

    @staticmethod
    def _by_channel(values: tuple[float, ...], pixels: Tensor) -> Tensor:
        channels = pixels.shape[1]
        if len(values) not in (1, channels):
            raise InputError(
                f"--mean and --std take 1 or {channels} numbers for these images, got {len(values)}"
            )
        return torch.tensor(values, dtype=pixels.dtype, device=pixels.device).view(1, -1, 1, 1)


@dataclass(frozen=True)
class TensorSamples:
    """Samples that are already tensors in memory."""

    inputs: Tensor
    targets: Tensor
    classes: tuple[str, ...] = ()
    normalization: Normalization | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.inputs.shape[1:])

    def __len__(self) -> int:
        return len(self.targets)

    def fetch(self, indices: Tensor) -> Tensor:
        """The inputs at ``indices``, normalised."""
        inputs = self.inputs[indices]
        return inputs if self.normalization is None else self.normalization(inputs)


def choose(samples: Samples, count: int, seed: int) -> Tensor:
    """Indices of ``count`` samples drawn without replacement, in order; all if count is 0."""
    if count < 0:
        raise InputError(f"--samples has to be 0 (all) or more, got {count}")
    if count == 0 or count >= len(samples):
        return torch.arange(len(samples))
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(len(samples), generator=generator)[:count].sort().values


def count_classes(samples: Samples) -> int | None:
    """The number of classes, or None where targets are not class numbers."""
    if samples.classes:
        return len(samples.classes)
    if samples.targets.dim() != 1 or samples.targets.is_floating_point():
        return None
    return int(samples.targets.max()) + 1


def check_targets(samples: Samples, num_outputs: int, where: str) -> None:
    """InputError if a class number has no output of the model."""
    if count_classes(samples) is None:
        return
    low, high = int(samples.targets.min()), int(samples.targets.max())
    if low < 0:
        raise InputError(f"{where} has classes numbered {low} to {high}; number them from 0")
    if high >= num_outputs:
        raise InputError(
            f"{where} has classes numbered {low} to {high}, the model {num_outputs} outputs; "
            f"pass --model-args num_classes={high + 1} or data with the model's classes"
        )
