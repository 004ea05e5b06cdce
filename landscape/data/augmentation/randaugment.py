"""RandAugment of a batch of pictures, on its device (Cubuk et al., NeurIPS 2020).

The sixteen operations, their ranges and their rounding are those of the published TensorFlow code
(tpu/models/official/efficientnet/autoaugment.py, which big_vision copied) to the letter, also where
it differs from Pillow:

- ``contrast`` blends towards the level (number of pixels) / 256, at most 255, and not towards the
  mean: the code sums the histogram where it means to average. It is 196 for 224 x 224 pixels.
- ``solarize`` compares with a byte, in which a threshold of 256 becomes 0, and one of 384 becomes
  128.
- Pictures that move take the nearest pixel, and grey (128) from outside.
- Every operation ends with whole grey levels, rounded down.

The code is for 224 x 224 pixels; translations and ``cutout`` scale with other sizes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.errors import InputError

FULL_MAGNITUDE = 10
GREY = 128
SIDE = 224
CONTRAST_LEVEL = SIDE**2 // 256
LUMA = (0.2989, 0.587, 0.114)  # of TensorFlow's rgb_to_grayscale


@dataclass(frozen=True)
class Draws:
    """The random numbers of an operation for n pictures.

    Attributes:
        signs: 1 or -1, of shape (n,).
        centres: Row and column of a point, in [0, 1), of shape (n, 2).
    """

    signs: Tensor
    centres: Tensor


# From whole grey levels 0 to 255, as float32 of shape (n, C, H, W), and a magnitude to grey levels.
Operation = Callable[[Tensor, float, Draws], Tensor]


def rand_augment(
    pixels: Tensor, layers: int, magnitude: float, generator: torch.Generator
) -> Tensor:
    """Apply random operations to each picture, one after another.

    Args:
        pixels: floats in [0, 1], which are rounded to bytes, or bytes, of shape (n, C, H, W) with
            H and W at least 3.
        layers: how many operations, each drawn from :data:`OPERATIONS`.
        magnitude: in the unit of TensorFlow, where 10 is AutoAugment's full range.
        generator: of the random numbers.

    Returns:
        Pictures of the same shape and type.

    Raises:
        InputError: for pictures of other than 1 or 3 channels.
    """
    count, channels = pixels.shape[:2]
    if channels not in (1, 3):
        raise InputError(f"RandAugment takes pictures of 1 or 3 channels, got {channels}")
    is_bytes = pixels.dtype == torch.uint8
    pictures = pixels.to(torch.float32, copy=True)
    if not is_bytes:
        pictures = (255 * pictures).round()
    drawn = torch.randint(len(OPERATIONS), (layers, count), generator=generator)
    signs = 1 - 2 * torch.randint(2, (layers, count), generator=generator)
    centres = torch.rand(layers, count, 2, generator=generator)
    for layer in range(layers):
        for number, operation in enumerate(OPERATIONS.values()):
            chosen = (drawn[layer] == number).nonzero().squeeze(1)
            if len(chosen):
                place = chosen.to(pixels.device)
                draws = Draws(signs[layer, chosen], centres[layer, chosen])
                pictures[place] = operation(pictures[place], magnitude / FULL_MAGNITUDE, draws)
    return pictures.to(torch.uint8) if is_bytes else (pictures / 255).to(pixels.dtype)


def autocontrast(pictures: Tensor) -> Tensor:
    """Stretch each channel to 0 to 255; a channel of a single level stays the same."""
    low, high = (limit(pictures, (2, 3), keepdim=True) for limit in (torch.amin, torch.amax))
    scale = 255 / (high - low)
    stretched = (pictures * scale - low * scale).clamp(0, 255).floor()
    return torch.where(high > low, stretched, pictures)


def equalize(pictures: Tensor) -> Tensor:
    """Flatten each channel's histogram; one with under 255 pixels below its maximum stays."""
    index = pictures.long().flatten(2)
    counts = index.new_zeros(*index.shape[:2], 256)
    counts.scatter_add_(2, index, torch.ones_like(index))
    brightest = counts.gather(2, index.amax(2, keepdim=True))
    step = (index.shape[2] - brightest) // 255
    below = counts.cumsum(2) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255)
    equalized = table.gather(2, index).view_as(pictures).to(pictures)
    return torch.where(step.unsqueeze(3) > 0, equalized, pictures)


def invert(pictures: Tensor) -> Tensor:
    """The negative of each picture."""
    return 255 - pictures


def posterize(pictures: Tensor, bits: int) -> Tensor:
    """Keep the highest ``bits`` of each byte, at least 1 and at most 8."""
    step = 2 ** (8 - min(max(bits, 1), 8))
    return (pictures / step).floor() * step


def solarize(pictures: Tensor, threshold: int) -> Tensor:
    """Invert the pixels of ``threshold``, modulo 256, and above."""
    # |255 - v| where the pixel is inverted, and |0 - v| elsewhere: faster than a choice.
    return (255 * (pictures >= threshold % 256) - pictures).abs()


def solarize_add(pictures: Tensor, addition: int) -> Tensor:
    """Add ``addition`` to the pixels below 128."""
    return (pictures + addition * (pictures < 128)).clamp(max=255)


def color(pictures: Tensor, factor: float) -> Tensor:
    """Change the saturation: 0 gives grey, 1 no change. Grey pictures stay the same."""
    if pictures.shape[1] == 1:
        return pictures
    weights = pictures.new_tensor(LUMA).view(3, 1, 1)
    luma = (weights * (pictures * (1 / 255))).sum(1, keepdim=True)
    return _blend((255.5 * luma).floor(), pictures, factor)


def contrast(pictures: Tensor, factor: float) -> Tensor:
    """Change the contrast: 0 gives 196 everywhere, 1 no change.

    The published code takes (number of pixels) / 256 for the mean, 196 for a side of 224. At other
    sizes that would be another operation: of 32, contrast towards 4 is brightness.
    """
    return _blend(torch.full_like(pictures, CONTRAST_LEVEL), pictures, factor)


def brightness(pictures: Tensor, factor: float) -> Tensor:
    """Change the brightness: 0 gives black, 1 no change."""
    return _blend(torch.zeros_like(pictures), pictures, factor)


def sharpness(pictures: Tensor, factor: float) -> Tensor:
    """Change the sharpness: 0 smooths, 1 is no change. The outermost pixels stay the same."""
    smooth = pictures.clone()
    inner = smooth[:, :, 1:-1, 1:-1]
    # Pillow's SMOOTH is a 3 by 3 window of ones with 5 in the middle, over 13.
    columns = pictures[..., :-2] + pictures[..., 1:-1] + pictures[..., 2:]
    total = columns[:, :, :-2] + columns[:, :, 1:-1] + columns[:, :, 2:]
    inner.copy_(((total + 4 * inner) / 13).floor())
    return _blend(smooth, pictures, factor)


def rotate(pictures: Tensor, degrees: Tensor) -> Tensor:
    """Rotate each picture around its centre by its angle in degrees, (n,)."""
    height, width = pictures.shape[2:]
    radians = (degrees * (math.pi / 180)).float()
    cos, sin = (_per_picture(values, pictures) for values in (radians.cos(), radians.sin()))
    x, y = _pixels(pictures)
    x_offset = ((width - 1) - (cos * (width - 1) - sin * (height - 1))) / 2
    y_offset = ((height - 1) - (sin * (width - 1) + cos * (height - 1))) / 2
    return _sample(pictures, cos * x - sin * y + x_offset, sin * x + cos * y + y_offset)


def shear_x(pictures: Tensor, slopes: Tensor) -> Tensor:
    """Move each row to the left by its distance from the top times the picture's slope, (n,)."""
    x, y = _pixels(pictures)
    return _sample(pictures, x + _per_picture(slopes, pictures) * y, y)


def shear_y(pictures: Tensor, slopes: Tensor) -> Tensor:
    """Move each column up by its distance from the left times the picture's slope, (n,)."""
    x, y = _pixels(pictures)
    return _sample(pictures, x, _per_picture(slopes, pictures) * x + y)


def translate_x(pictures: Tensor, distances: Tensor) -> Tensor:
    """Move each picture to the left by its number of pixels, (n,)."""
    x, y = _pixels(pictures)
    return _sample(pictures, x + _per_picture(distances, pictures), y)


def translate_y(pictures: Tensor, distances: Tensor) -> Tensor:
    """Move each picture up by its number of pixels, (n,)."""
    x, y = _pixels(pictures)
    return _sample(pictures, x, y + _per_picture(distances, pictures))


def cutout(pictures: Tensor, reach: tuple[int, int], centres: Tensor) -> Tensor:
    """Paint a grey rectangle over each picture; what is outside of the picture is cut off.

    Args:
        pictures: grey levels (n, C, H, W).
        reach: how many rows and columns the rectangle has on either side of its centre.
        centres: row and column of the centre as shares of height and width, (n, 2).
    """
    x, y = _pixels(pictures)
    height, width = pictures.shape[2:]
    row, column = (
        _per_picture((side * share).floor(), pictures)
        for side, share in zip((height, width), centres.unbind(1), strict=True)
    )
    is_covered = (row - reach[0] <= y) & (y < row + reach[0])
    is_covered = is_covered & (column - reach[1] <= x) & (x < column + reach[1])
    return pictures.masked_fill(is_covered.unsqueeze(1), GREY)


def _per_picture(values: Tensor, pictures: Tensor) -> Tensor:
    """Numbers of pictures, of shape (n, 1, 1), as pixels are."""
    return values.to(pictures).view(-1, 1, 1)


def _pixels(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Column (W,) and row (H, 1) of every pixel, from 0."""
    height, width = pictures.shape[2:]
    rows = torch.arange(height, dtype=pictures.dtype, device=pictures.device)
    columns = torch.arange(width, dtype=pictures.dtype, device=pictures.device)
    return columns, rows.unsqueeze(1)


def _sample(pictures: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The nearest pixel to column x and row y for each pixel; grey outside."""
    height, width = pictures.shape[2:]
    column, row = _nearest(x), _nearest(y)
    is_inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    index = index.expand(len(pictures), height, width).unsqueeze(1).expand_as(pictures)
    picked = pictures.flatten(2).gather(2, index.flatten(2)).view_as(pictures)
    return picked.masked_fill_(~is_inside.unsqueeze(-3), GREY)


def _nearest(positions: Tensor) -> Tensor:
    """The nearest whole number; halves are rounded away from 0, as in C."""
    return ((positions.abs() + 0.5).floor() * positions.sign()).long()


def _blend(start: Tensor, end: Tensor, factor: float) -> Tensor:
    """Interpolate from ``start`` at 0 to ``end`` at 1, and extrapolate; in whole levels."""
    return (start + factor * (end - start)).clamp(0, 255).floor()


def _factor(level: float) -> float:
    return 1.8 * level + 0.1


def _reach(pictures: Tensor, level: float) -> tuple[int, int]:
    """40 pixels of 224 at full level, for height and width."""
    height, width = pictures.shape[2:]
    return int(40 * level * height / SIDE), int(40 * level * width / SIDE)


def _shift(side: int, level: float, draws: Draws) -> Tensor:
    """100 pixels of 224 at full level."""
    return 100 * level * side / SIDE * draws.signs


# A level of 1 is AutoAugment's full range.
OPERATIONS: dict[str, Operation] = {
    "autocontrast": lambda pictures, level, draws: autocontrast(pictures),
    "equalize": lambda pictures, level, draws: equalize(pictures),
    "invert": lambda pictures, level, draws: invert(pictures),
    "rotate": lambda pictures, level, draws: rotate(pictures, 30 * level * draws.signs),
    "posterize": lambda pictures, level, draws: posterize(pictures, int(4 * level)),
    "solarize": lambda pictures, level, draws: solarize(pictures, int(256 * level)),
    "color": lambda pictures, level, draws: color(pictures, _factor(level)),
    "contrast": lambda pictures, level, draws: contrast(pictures, _factor(level)),
    "brightness": lambda pictures, level, draws: brightness(pictures, _factor(level)),
    "sharpness": lambda pictures, level, draws: sharpness(pictures, _factor(level)),
    "shear_x": lambda pictures, level, draws: shear_x(pictures, 0.3 * level * draws.signs),
    "shear_y": lambda pictures, level, draws: shear_y(pictures, 0.3 * level * draws.signs),
    "translate_x": lambda pictures, level, draws: translate_x(
        pictures, _shift(pictures.shape[3], level, draws)
    ),
    "translate_y": lambda pictures, level, draws: translate_y(
        pictures, _shift(pictures.shape[2], level, draws)
    ),
    "cutout": lambda pictures, level, draws: cutout(
        pictures, _reach(pictures, level), draws.centres
    ),
    "solarize_add": lambda pictures, level, draws: solarize_add(pictures, int(110 * level)),
}
