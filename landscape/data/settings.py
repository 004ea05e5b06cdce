"""The settings that name a data set."""

from dataclasses import dataclass

from landscape.data.resampling import INTERPOLATIONS, OFFSETS, RESIZED, Resampling
from landscape.errors import InputError
from landscape.runtime.options import check_choices, check_numbers, option

NAMES = ("digits", "cifar10", "cifar100", "imagefolder")
SPLITS = ("train", "test", "val")


@dataclass(frozen=True)
class DataSettings:
    """Which data to use, and how pictures become tensors."""

    data: str = option(
        "", "digits, cifar10, cifar100, imagefolder, or FILE.py:FUNCTION", metavar="NAME"
    )
    data_dir: str = option(
        "",
        "the folder with train/ and val/ or test/ in it; of CIFAR also its archive as published, "
        "or the folder that it unpacks to",
        metavar="DIR",
    )
    image_size: int = option(
        0, "side in pixels that pictures are resized to; 0: as they are", metavar="PIXELS"
    )
    crop: float = option(
        1.0,
        "the share of the shorter side of a picture that is kept: 0.875 makes 224 pixels of 256",
        metavar="SHARE",
    )
    interpolation: str = option(
        "bicubic", "the filter that resizes pictures", choices=INTERPOLATIONS
    )
    resize: str = option(
        "shorter",
        "shorter: keep the aspect ratio and cut the centre out; both: make every picture square",
        choices=RESIZED,
    )
    crop_offset: str = option(
        "rounded",
        "where a crop starts that can't be in the middle: rounded as in torchvision and timm, or "
        "floored as in Hugging Face's processors",
        choices=OFFSETS,
    )
    skip_corrupt: bool = option(
        False, "leave out pictures that can't be read, and name and count them"
    )
    mean: tuple[float, ...] = option(
        (), "mean of the pixels in [0, 1], one number or one a channel", parse=float, nargs="+"
    )
    std: tuple[float, ...] = option(
        (), "standard deviation of the pixels, likewise", parse=float, nargs="+"
    )

    def __post_init__(self) -> None:
        """Raise InputError for numbers that can't be computed with."""
        check_choices(self)
        check_numbers(self)

    @property
    def resampling(self) -> Resampling:
        """How pictures are resized."""
        return Resampling(self.interpolation, self.resize, self.crop_offset)


def canonical_split(split: str) -> str:
    """The split by its usual name: ``val`` and ``test`` are both the data held out of training."""
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; expected train, test or val")
    return "test" if split == "val" else split
