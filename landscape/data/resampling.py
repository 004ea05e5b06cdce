"""How pictures are resized before they are cropped to the centre."""

import math
from dataclasses import dataclass

from landscape.errors import InputError

# The filters by their names in Pillow, timm and torchvision.
INTERPOLATIONS = ("bicubic", "bilinear", "nearest", "lanczos", "box", "hamming")
RESIZED = ("shorter", "both")
OFFSETS = ("rounded", "floored")


@dataclass(frozen=True)
class Resampling:
    """The filter that resizes pictures, and the sides that get the wanted length.

    Attributes:
        interpolation: one of :data:`INTERPOLATIONS`.
        resize: ``shorter`` keeps the aspect ratio; ``both`` makes every picture square, as the
            ``squash`` of timm and the processors of most models of Hugging Face do.
        crop_offset: where a crop starts that can't be in the middle: ``rounded`` is half to even,
            as in torchvision and timm; ``floored`` as in Hugging Face's processors.

    Raises:
        InputError: for another word.
    """

    interpolation: str = "bicubic"
    resize: str = "shorter"
    crop_offset: str = "rounded"

    def __post_init__(self) -> None:
        """Check the words."""
        for flag, value, known in (
            ("--interpolation", self.interpolation, INTERPOLATIONS),
            ("--resize", self.resize, RESIZED),
            ("--crop-offset", self.crop_offset, OFFSETS),
        ):
            if value not in known:
                raise InputError(f"unknown {flag} {value!r}; expected {', '.join(known)}")

    def size_before_crop(
        self, width: int, height: int, image_size: int, crop: float
    ) -> tuple[int, int]:
        """The width and height to which a picture is resized.

        Args:
            width: of the picture.
            height: of the picture.
            image_size: the side of the crop that follows.
            crop: the share of the resized side that the crop keeps.

        Example:
            >>> Resampling().size_before_crop(500, 333, 224, 0.875)
            (384, 256)
        """
        # 224 / (224 / 232) is a little less than 232.
        side = math.floor(image_size / crop + 1e-6)
        if self.resize == "both":
            return side, side
        if width <= height:
            return side, int(side * height / width)
        return int(side * width / height), side

    def start_of_crop(self, side: int, image_size: int) -> int:
        """Where the crop of ``image_size`` starts on a side of the resized picture."""
        surplus = side - image_size
        return round(surplus / 2) if self.crop_offset == "rounded" else surplus // 2


# The shorter side, bicubic.
PLAIN = Resampling()
