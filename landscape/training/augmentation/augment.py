"""The augmentation of training batches."""

from collections.abc import Sequence

import torch
from torch import Tensor

from landscape.data.augmentation.crop_flip import crop_and_flip
from landscape.data.augmentation.inception_crop import boxes_of, crop_tensors, draw_crops
from landscape.data.augmentation.mixup import draw_shares, mixup
from landscape.data.augmentation.randaugment import rand_augment
from landscape.data.feed import stream_seed
from landscape.data.samples import Normalization, Samples, TensorSamples, count_classes
from landscape.data.sources.imagefolder import FolderSamples
from landscape.errors import InputError
from landscape.training.augmentation.settings import AugmentSettings

# Streams of random numbers, so that one kind of draw does not change another.
CROP, RANDAUGMENT, MIXUP, MIXUP_BATCH = 11, 12, 13, 14


class Augmentation:
    """Augments one batch after the other; every draw is a function of seed, epoch, step and view.

    Crops are drawn for the batch of all ranks together, so that they don't depend on the number of
    ranks; nor does mixup's weight, if there is one a batch. RandAugment, mixup's partners and other
    weights are drawn by each rank for its own samples.

    Args:
        settings: What to do.
        samples: The training data.
        seed: The seed of all draws.
        rank: The rank of this process.
        world_size: The number of processes.

    Raises:
        InputError: The samples are no pictures, or have no pixels in a known range.
    """

    def __init__(
        self,
        settings: AugmentSettings,
        samples: Samples,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.settings = settings
        self._samples = samples
        self._seed = seed
        self._rank, self._world_size = rank, world_size
        self._classes = count_classes(samples) or 0
        self._normalization: Normalization | None = getattr(samples, "normalization", None)
        self._crops_files = settings.augment == "inception" and isinstance(samples, FolderSamples)
        needs_pictures = settings.augment not in ("none", "auto") or bool(settings.randaugment)
        if needs_pictures and len(samples.input_shape) != 3:
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
        """Read samples; pictures in files are cropped as they are decoded."""
        if self._crops_files and isinstance(self._samples, FolderSamples):
            return self._samples.fetch(indices, self._crops(len(indices), (epoch, step, view)))
        return self._samples.fetch(indices)

    def pictures(self, inputs: Tensor, epoch: int, step: int, view: int = 0) -> Tensor:
        """Crop, mirror and RandAugment what :meth:`fetch` returned, on its device."""
        key = (epoch, step, view)
        if self.settings.augment == "crop-flip":
            generator = self._generator(CROP, key)
            whole = self._world_size * len(inputs)
            inputs = crop_and_flip(inputs, generator, whole, self._rank * len(inputs))
        elif self.settings.augment == "inception" and not self._crops_files:
            boxes = boxes_of(self._crops(len(inputs), key), *inputs.shape[2:])
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
        """Apply mixup, if it is on, which turns the targets into shares of shape (n, classes)."""
        if self.settings.mixup == 0:
            return inputs, targets
        alpha = self.settings.mixup
        generator = self._generator(MIXUP, (epoch, step, self._rank))
        shares = None
        if self.settings.mixup_lambda == "batch":
            shares = draw_shares(1, alpha, self._generator(MIXUP_BATCH, (epoch, step)))
        return mixup(inputs, targets, self._classes, alpha, 1.0, generator, shares)

    def _crops(self, count: int, key: Sequence[int]) -> Tensor:
        """This rank's crops among those that are drawn for the whole batch."""
        crops = draw_crops(self._world_size * count, self._generator(CROP, key))
        return crops[self._rank * count : (self._rank + 1) * count]

    def _generator(self, stream: int, key: Sequence[int]) -> torch.Generator:
        return torch.Generator().manual_seed(stream_seed(self._seed, stream, *key))


def _in_unit_range(samples: Samples) -> bool:
    if not isinstance(samples, TensorSamples):
        return False
    inputs = samples.inputs
    return bool(inputs.min() >= 0 and inputs.max() <= 1)
