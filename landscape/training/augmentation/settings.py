"""The settings of augmentation."""

import math
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_choices, check_numbers, option, refuse_negative

# Published recipes have two or three layers of RandAugment.
MOST_LAYERS = 100


@dataclass(frozen=True)
class AugmentSettings:
    """How training pictures are augmented."""

    augment: str = option(
        "auto",
        "crop-flip: shifts by up to an eighth of the side, half of them mirrored; inception: crops "
        "of 5 to 100% of the area, half of them mirrored; auto: crop-flip for pictures in folders "
        "and CIFAR, none for other data",
        choices=("auto", "none", "crop-flip", "inception"),
    )
    randaugment: tuple[float, ...] = option(
        (),
        "RandAugment with this many operations a picture, of this magnitude (10 is full)",
        parse=float,
        nargs=2,
        metavar=("LAYERS", "MAGNITUDE"),
    )
    mixup: float = option(
        0.0, "mix pairs of samples with weights from Beta(ALPHA, ALPHA); 0: don't", metavar="ALPHA"
    )
    mixup_lambda: str = option(
        "sample",
        "draw mixup's weight for each sample, or one a batch, as published",
        choices=("sample", "batch"),
    )

    def __post_init__(self) -> None:
        """Raise InputError for invalid values."""
        check_choices(self)
        refuse_negative(self, "mixup")
        check_numbers(self)
        if self.randaugment:
            layers, *magnitudes = self.randaugment
            is_whole = layers in range(1, MOST_LAYERS + 1)
            if not is_whole or len(magnitudes) != 1 or not 0 <= magnitudes[0] < math.inf:
                raise InputError(
                    f"--randaugment takes a whole number of layers, {MOST_LAYERS} at most, and a "
                    f"magnitude, such as 2 15, got {' '.join(f'{n:g}' for n in self.randaugment)}"
                )
