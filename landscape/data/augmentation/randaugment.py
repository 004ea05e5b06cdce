"""RandAugment of a batch of pictures, on its device (Cubuk et al., NeurIPS 2020).

The operations are those of Pillow, on pixels in [0, 1] of shape (n, C, H, W) with C = 1 or 3, and
H and W at least 3. Their list and ranges are those of TensorFlow
(tpu/models/official/efficientnet/autoaugment.py), with the paper's identity in place of cutout.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from landscape.errors import InputError

FULL_MAGNITUDE = 10
GREY = 0.5
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in Pillow's mode L

Operation = Callable[[Tensor, float, Tensor], Tensor]


def rand_augment(
    pixels: Tensor, layers: int, magnitude: float, generator: torch.Generator
) -> Tensor:
    """Apply random operations to each picture, one after another.

    Args:
        pixels: floats in [0, 1], or bytes, of shape (n, C, H, W).
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
    pictures = pixels.to(torch.promote_types(pixels.dtype, torch.float32), copy=True)
    if pixels.dtype == torch.uint8:
        pictures /= 255
    drawn = torch.randint(len(OPERATIONS), (layers, count), generator=generator)
    signs = 1 - 2 * torch.randint(2, (layers, count), generator=generator)
    level = magnitude / FULL_MAGNITUDE
    for layer in range(layers):
        for number, operation in enumerate(OPERATIONS.values()):
            chosen = (drawn[layer] == number).nonzero().squeeze(1)
            if len(chosen):
                place = chosen.to(pixels.device)
                pictures[place] = operation(pictures[place], level, signs[layer, chosen])
    return _bytes(pictures).to(torch.uint8) if pixels.dtype == torch.uint8 else pictures.to(pixels)


def autocontrast(pictures: Tensor) -> Tensor:
    """Stretch each channel to [0, 1]; a channel of a single value stays the same."""
    low, high = (limit(pictures, (2, 3), keepdim=True) for limit in (torch.amin, torch.amax))
    return torch.where(high > low, (pictures - low) / (high - low), pictures)


def equalize(pictures: Tensor) -> Tensor:
    """Flatten each channel's histogram; one with under 255 pixels below its maximum stays."""
    index = _bytes(pictures).long().flatten(2)
    counts = index.new_zeros(*index.shape[:2], 256)
    counts.scatter_add_(2, index, torch.ones_like(index))
    brightest = counts.gather(2, index.amax(2, keepdim=True))
    step = (index.shape[2] - brightest) // 255
    below = counts.cumsum(2) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255)
    equalized = table.gather(2, index).view_as(pictures).to(pictures) / 255
    return torch.where(step.unsqueeze(3) > 0, equalized, pictures)


def invert(pictures: Tensor) -> Tensor:
    """The negative of each picture."""
    return 1 - pictures


def posterize(pictures: Tensor, bits: int) -> Tensor:
    """Keep the highest ``bits`` of each byte."""
    values = _bytes(pictures)
    return (values - values % 2 ** (8 - bits)) / 255


def solarize(pictures: Tensor, threshold: int) -> Tensor:
    """Invert the pixels of ``threshold`` (0 to 256) and above."""
    return torch.where(_bytes(pictures) < threshold, pictures, 1 - pictures)


def solarize_add(pictures: Tensor, addition: int) -> Tensor:
    """Add ``addition`` (0 to 255) to the pixels below 128."""
    brighter = (pictures + addition / 255).clamp(max=1)
    return torch.where(_bytes(pictures) < 128, brighter, pictures)


def color(pictures: Tensor, factor: float) -> Tensor:
    """Change the saturation: 0 gives grey, 1 no change. Grey pictures stay the same."""
    return _blend(_luma(pictures), pictures, factor) if pictures.shape[1] == 3 else pictures


def contrast(pictures: Tensor, factor: float) -> Tensor:
    """Change the contrast: 0 gives the picture's mean brightness, 1 no change."""
    return _blend(_luma(pictures).mean((2, 3), keepdim=True), pictures, factor)


def brightness(pictures: Tensor, factor: float) -> Tensor:
    """Change the brightness: 0 gives black, 1 no change."""
    return (factor * pictures).clamp(max=1)


def sharpness(pictures: Tensor, factor: float) -> Tensor:
    """Change the sharpness: 0 smooths, 1 is no change. The outermost pixels stay the same."""
    smooth = pictures.clone()
    inner = smooth[:, :, 1:-1, 1:-1]
    # Pillow's SMOOTH is a 3 by 3 window of ones with 5 in the middle, over 13.
    inner.mul_(4 / 13).add_(F.avg_pool2d(pictures, 3, stride=1), alpha=9 / 13)
    return _blend(smooth, pictures, factor)


def rotate(pictures: Tensor, degrees: Tensor) -> Tensor:
    """Rotate each picture clockwise around its centre by its angle in degrees, (n,)."""
    y, x = (side / 2 for side in pictures.shape[2:])
    cos, sin = degrees.deg2rad().cos(), degrees.deg2rad().sin()
    return _warp(pictures, cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y)


def shear_x(pictures: Tensor, slopes: Tensor) -> Tensor:
    """Move each row to the left by its distance from the top times the picture's slope, (n,)."""
    return _warp(pictures, b=slopes)


def shear_y(pictures: Tensor, slopes: Tensor) -> Tensor:
    """Move each column up by its distance from the left times the picture's slope, (n,)."""
    return _warp(pictures, d=slopes)


def translate_x(pictures: Tensor, shares: Tensor) -> Tensor:
    """Move each picture to the left by its share of the width, (n,)."""
    return _warp(pictures, c=shares * pictures.shape[3])


def translate_y(pictures: Tensor, shares: Tensor) -> Tensor:
    """Move each picture up by its share of the height, (n,)."""
    return _warp(pictures, f=shares * pictures.shape[2])


def _warp(
    pictures: Tensor,
    a: Tensor | float = 1.0,
    b: Tensor | float = 0.0,
    c: Tensor | float = 0.0,
    d: Tensor | float = 0.0,
    e: Tensor | float = 1.0,
    f: Tensor | float = 0.0,
) -> Tensor:
    """Sample pictures at (ax + by + c, dx + ey + f) for each (x, y), bilinearly; grey outside.

    Positions are in pixels from the top left corner, as in Pillow's ``Image.transform``. At least
    one coefficient is a tensor of shape (n,).
    """
    values = [torch.as_tensor(value, dtype=torch.float64) for value in (a, b, c, d, e, f)]
    rows = torch.stack(torch.broadcast_tensors(*values), 1).view(-1, 2, 3)
    # From pixels to affine_grid's coordinates, which run from -1 to 1.
    half = torch.tensor([[pictures.shape[3] / 2], [pictures.shape[2] / 2]], dtype=torch.float64)
    linear = rows[:, :, :2] * half.T / half
    shift = rows[:, :, 2:] / half + linear.sum(2, keepdim=True) - 1
    theta = torch.cat([linear, shift], 2).to(pictures.device)
    # In float64, whose precision neither TF32 nor autocast reduces.
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False).to(pictures)
    return (F.grid_sample(pictures - GREY, grid, align_corners=False) + GREY).clamp(0, 1)


def _bytes(pictures: Tensor) -> Tensor:
    """The levels 0 to 255, as floats."""
    return (255 * pictures).round()


def _luma(pictures: Tensor) -> Tensor:
    """The brightness, of shape (n, 1, H, W)."""
    if pictures.shape[1] == 1:
        return pictures
    weights = pictures.new_tensor(LUMA).view(3, 1, 1)
    return (weights * pictures).sum(1, keepdim=True)


def _blend(start: Tensor, end: Tensor, factor: float) -> Tensor:
    """Interpolate from ``start`` at 0 to ``end`` at 1, and extrapolate; clipped to [0, 1]."""
    return (start + factor * (end - start)).clamp(0, 1)


def _factor(level: float) -> float:
    return 0.1 + 1.8 * level


# A level of 1 is AutoAugment's full range. Bits and threshold are clipped to valid values, so that
# solarize changes nothing from level 1 on. Translations are 100 pixels of 224.
OPERATIONS: dict[str, Operation] = {
    "identity": lambda pictures, level, signs: pictures,
    "autocontrast": lambda pictures, level, signs: autocontrast(pictures),
    "equalize": lambda pictures, level, signs: equalize(pictures),
    "invert": lambda pictures, level, signs: invert(pictures),
    "rotate": lambda pictures, level, signs: rotate(pictures, 30 * level * signs),
    "posterize": lambda pictures, level, signs: posterize(pictures, min(max(1, int(4 * level)), 8)),
    "solarize": lambda pictures, level, signs: solarize(pictures, min(int(256 * level), 256)),
    "solarize_add": lambda pictures, level, signs: solarize_add(pictures, int(110 * level)),
    "color": lambda pictures, level, signs: color(pictures, _factor(level)),
    "contrast": lambda pictures, level, signs: contrast(pictures, _factor(level)),
    "brightness": lambda pictures, level, signs: brightness(pictures, _factor(level)),
    "sharpness": lambda pictures, level, signs: sharpness(pictures, _factor(level)),
    "shear_x": lambda pictures, level, signs: shear_x(pictures, 0.3 * level * signs),
    "shear_y": lambda pictures, level, signs: shear_y(pictures, 0.3 * level * signs),
    "translate_x": lambda pictures, level, signs: translate_x(pictures, 100 / 224 * level * signs),
    "translate_y": lambda pictures, level, signs: translate_y(pictures, 100 / 224 * level * signs),
}
