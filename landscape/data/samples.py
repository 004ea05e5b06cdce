"""Labelled samples, whose ``fetch`` returns normalised tensors wherever they are stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from landscape.data.resampling import PLAIN, Resampling
from landscape.errors import InputError


class Samples(Protocol):
    """N inputs with targets that are read by index."""

    @property
    def targets(self) -> Tensor:
        """All N targets."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes by number; empty where the task has none."""

    def __len__(self) -> int: ...

    def fetch(self, indices: Tensor) -> Tensor:
        """The inputs at ``indices``, as floats ready for a model."""

    def take(self, indices: Tensor) -> "Samples":
        """The samples at ``indices``."""


@dataclass(frozen=True)
class Normalization:
    """Maps pixel values in [0, 1] to (value - mean) / std.

    Attributes:
        mean: one number, or one for each channel.
        std: likewise.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalise pixels (n, C, H, W); bytes are divided by 255 before."""
        if pixels.dim() != 4:
            raise InputError(
                "--mean and --std are for pictures, not for inputs of shape "
                f"{tuple(pixels.shape[1:])}"
            )
        if pixels.dtype == torch.uint8:
            pixels = pixels.float() / 255
        mean, std = (self._by_channel(value, pixels) for value in (self.mean, self.std))
        return (pixels - mean) / std

    def undo(self, inputs: Tensor) -> Tensor:
        """The pixels, as floats, of normalised inputs (n, C, H, W)."""
        mean, std = (self._by_channel(value, inputs) for value in (self.mean, self.std))
        return inputs * std + mean

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
    """Samples that are tensors in memory.

    ``resampling`` is how pictures are, or were, resized to the size of the inputs.
    """

    inputs: Tensor
    targets: Tensor
    classes: tuple[str, ...] = ()
    normalization: Normalization | None = None
    resampling: Resampling = PLAIN

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

    def take(self, indices: Tensor) -> "TensorSamples":
        """The samples at ``indices``, with the same classes."""
        return replace(self, inputs=self.inputs[indices], targets=self.targets[indices])


@dataclass(frozen=True)
class ResizedSamples(TensorSamples):
    """Square pictures in memory that are resized, and cropped, when they are fetched."""

    image_size: int = 0
    crop: float = 1.0

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return (self.inputs.shape[1], self.image_size, self.image_size)

    def fetch(self, indices: Tensor) -> Tensor:
        """The pictures at ``indices``, resized, cropped to the centre and normalised."""
        pixels = self.inputs[indices]
        pixels = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
        height, width = pixels.shape[2:]
        side, _ = self.resampling.size_before_crop(width, height, self.image_size, self.crop)
        mode = self.resampling.interpolation
        pixels = F.interpolate(pixels, (side, side), mode=mode, antialias=True).clamp(0, 1)
        start = self.resampling.start_of_crop(side, self.image_size)
        end = start + self.image_size
        pixels = pixels[:, :, start:end, start:end]
        return pixels if self.normalization is None else self.normalization(pixels)


def resized(
    samples: Samples, image_size: int, crop: float = 1.0, resampling: Resampling = PLAIN
) -> Samples:
    """The same square pictures at another size; 0 keeps their size.

    Args:
        samples: pictures; those in files are returned as they are.
        image_size: the side of the result.
        crop: the share of the side that is kept.
        resampling: how they are resized.

    Raises:
        InputError: for a filter that pictures in memory can't be resized by.
    """
    if not isinstance(samples, TensorSamples):
        return samples
    image_size = image_size or samples.input_shape[1]
    if image_size == samples.input_shape[1] and crop == 1.0:
        return samples
    if resampling.interpolation not in ("bicubic", "bilinear"):
        raise InputError(
            f"--interpolation {resampling.interpolation} is for pictures in files; these take "
            "bicubic or bilinear"
        )
    return ResizedSamples(
        samples.inputs,
        samples.targets,
        samples.classes,
        samples.normalization,
        resampling,
        image_size,
        crop,
    )


def choose(samples: Samples, count: int, seed: int) -> Tensor:
    """The sorted indices of ``count`` samples drawn without replacement; all if count is 0."""
    if count < 0:
        raise InputError(f"--samples has to be 0 (all) or more, got {count}")
    if count == 0 or count >= len(samples):
        return torch.arange(len(samples))
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(len(samples), generator=generator)[:count].sort().values


def balanced_share(targets: Tensor, share: float, seed: int) -> Tensor:
    """The sorted indices of a random share of each class's samples, at least one sample each.

    With the same seed the samples of a smaller share are a subset of those of a larger one.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for number in targets.unique().tolist():
        members = torch.nonzero(targets == number).flatten()
        order = torch.randperm(len(members), generator=generator)
        chosen.append(members[order[: max(1, round(share * len(members)))]])
    return torch.cat(chosen).sort().values


def count_classes(samples: Samples) -> int | None:
    """The number of classes, or None where targets are not class numbers."""
    if samples.classes:
        return len(samples.classes)
    if samples.targets.dim() != 1 or samples.targets.is_floating_point():
        return None
    return int(samples.targets.max()) + 1


def check_targets(samples: Samples, num_outputs: int, where: str) -> None:
    """Check that the model has an output for each class number; else raise InputError."""
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
