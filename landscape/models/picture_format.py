"""The pictures that a model is made for: their size, and how they are resized and normalised."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PictureFormat:
    """A model's own data configuration, in the terms of the flags that override it.

    Attributes:
        image_size: The side in pixels.
        crop: The share of the resized side that is cut out of the centre.
        interpolation: The filter that resizes, by its name in Pillow.
        resize: ``shorter`` keeps the aspect ratio, ``both`` does not.
        mean: Of the pixels in [0, 1], for each channel.
        std: Likewise.
        source: Where this was found, for messages.
        crop_offset: How the start of a crop is rounded: ``rounded`` or ``floored``.
    """

    image_size: int
    crop: float
    interpolation: str
    resize: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str
    crop_offset: str = "rounded"

    def options(self) -> dict[str, Any]:
        """Every field but the source, by the name of its flag."""
        return {name: value for name, value in asdict(self).items() if name != "source"}
