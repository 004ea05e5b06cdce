"""What is done to a training batch before the model sees it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.data.augmentation.crop_flip import crop_and_flip
from landscape.data.augmentation.inception_crop import crop_tensors, draw_boxes
from landscape.data.augmentation.mixup import mixup
from landscape.data.augmentation.randaugment import rand_augment
from landscape.data.feed import stream_seed
from landscape.data.samples import Normalization, Samples, TensorSamples, count_classes
from landscape.data.sources.imagefolder import FolderSamples
from landscape.errors import InputError
from landscape.runtime.options import option, refuse_negative

# Streams of random numbers, so that one kind of draw does not change another.
CROP, RANDAUGMENT, MIXUP = 11, 12, 13


@dataclass(frozen=True)
class AugmentSettings:
    """Augmentation of training pictures."""

    augment: str = option(
        "auto",
        "crop-flip: shifts by up to an eighth, mirrored half the time; inception: a crop of 5 to "
        "100% of the area, mirrored half the time; auto: crop-flip for pictures in folders and "
        "CIFAR, none for other data",
        choices=("auto", "none", "crop-flip", "inception"),
    )
    randaugment: tuple[float, ...] = option(
        (),
        "RandAugment: so many operations a picture, of a magnitude of 10 (full) or more",
        parse=float,
        nargs=2,
        metavar=("LAYERS", "MAGNITUDE"),
    )
    mixup: float = option(
        0.0, "mix pairs of samples by shares from Beta(ALPHA, ALPHA); 0: don't", metavar="ALPHA"
    )

    def __post_init__(self) -> None:
        """Raise InputError for values that can't be trained with."""
        refuse_negative(self, "mixup")
        if self.randaugment:
            layers, magnitude = self.randaugment
            if layers < 1 or layers != int(layers) or not 0 <= magnitude < math.inf:
                raise InputError(
                    "--randaugment takes a whole number of layers and a magnitude, such as 2 15, "
                    f"got {layers:g} {magnitude:g}"
                )


class Augmentation:
    """Augments batch after batch; every draw is a function of seed, epoch, step and view.

    Crops are drawn for the batch of all ranks together, so that they don't depend on how many
    there are. RandAugment and mixup are drawn by each rank for its share.
    """

    def __init__(
        self, settings: AugmentSettings, samples: Samples, seed: int, rank: int = 0, ranks: int = 1
    ) -> None:
        self.settings = settings
        self._samples = samples
        self._seed = seed
        self._rank, self._ranks = rank, ranks
        self._classes = count_classes(samples) or 0
        self._normalization: Normalization | None = getattr(samples, "normalization", None)
        self._crops_files = settings.augment == "inception" and isinstance(samples, FolderSamples)
        pictures = settings.augment not in ("none", "auto") or bool(settings.randaugment)
        if pictures and len(samples.input_shape) != 3:
            flag = "randaugment" if settings.randaugment else f"augment {settings.augment}"
            raise InputError(
                f"--{flag} is for pictures, not for inputs of shape {tuple(samples.input_shape)}"
            )
        if settings.randaugment and self._normalization is None and not _in_unit_range(samples):
            raise InputError(
                "--randaugment needs pictures whose pixels are between 0 and 1, or bytes; "
                "let --mean and --std normalise them"
            )

    def fetch(self, indices: Tensor, epoch: int, step: int, view: int = 0) -> Tensor:
        """Read the samples; those that lie in files are cropped as they are decoded."""
        if self._crops_files and isinstance(self._samples, FolderSamples):
            boxes = self._boxes(len(indices), (epoch, step, view))
            return self._samples.fetch(indices, boxes)
        return self._samples.fetch(indices)

    def pictures(self, inputs: Tensor, epoch: int, step: int, view: int = 0) -> Tensor:
        """Crop, mirror and RandAugment what was fetched, on its device."""
        key = (epoch, step, view)
        if self.settings.augment == "crop-flip":
            generator = self._generator(CROP, key)
            whole = self._ranks * len(inputs)
            inputs = crop_and_flip(inputs, generator, whole, self._rank * len(inputs))
        elif self.settings.augment == "inception" and not self._crops_files:
            boxes = self._boxes(len(inputs), key)
            inputs = crop_tensors(inputs, boxes.to(inputs.device))
        if self.settings.randaugment:
            layers, magnitude = self.settings.randaugment
            generator = self._generator(RANDAUGMENT, (*key, self._rank))
            normalization = self._normalization
            pixels = normalization.undo(inputs) if normalization else inputs
            pixels = rand_augment(pixels.clamp(0, 1), int(layers), magnitude, generator)
            inputs = normalization(pixels) if normalization else pixels
        return inputs

    def mix(self, inputs: Tensor, targets: Tensor, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Mixup, where it is asked for: targets then are shares of shape (n, classes)."""
        if self.settings.mixup == 0:
            return inputs, targets
        generator = self._generator(MIXUP, (epoch, step, self._rank))
        return mixup(inputs, targets, self._classes, self.settings.mixup, 1.0, generator)

    def _boxes(self, count: int, key: Sequence[int]) -> Tensor:
        """This rank's part of the crops that are drawn for the whole batch."""
        drawn = draw_boxes(self._ranks * count, self._generator(CROP, key))
        return drawn[self._rank * count : (self._rank + 1) * count]

    def _generator(self, stream: int, key: Sequence[int]) -> torch.Generator:
        return torch.Generator().manual_seed(stream_seed(self._seed, stream, *key))


def _in_unit_range(samples: Samples) -> bool:
    if not isinstance(samples, TensorSamples):
        return False
    inputs = samples.inputs
    return bool(inputs.min() >= 0 and inputs.max() <= 1)
