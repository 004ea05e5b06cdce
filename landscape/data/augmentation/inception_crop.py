"""Inception crops: random area and aspect ratio (Szegedy et al., CVPR 2015)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from landscape.errors import InputError

ATTEMPTS = 10
MAX_ASPECT = 4 / 3


def draw_boxes(count: int, generator: torch.Generator, min_area: float = 0.05) -> Tensor:
    """Draw boxes for :func:`crop_tensors`.

    The area is uniform in [min_area, 1], width / height log-uniform in [3/4, 4/3]. Of ten attempts
    the first that fits into the square counts; if none fits, the box is the square. Half of the
    boxes are mirrored.

    Args:
        count: how many boxes.
        generator: of the random numbers.
        min_area: the least area, as a share of the picture's.

    Returns:
        Left, top, width and height in the unit square, and 1 if mirrored, else 0: (count, 5).

    Raises:
        InputError: unless 0 < min_area <= 1.
    """
    if not 0 < min_area <= 1:
        raise InputError(f"the least area of a crop has to be in (0, 1], got {min_area}")
    areas, aspects = torch.rand(2, ATTEMPTS, count, generator=generator)
    left, top, mirrored = torch.rand(3, count, generator=generator)
    areas = min_area + (1 - min_area) * areas
    aspects = ((2 * aspects - 1) * math.log(MAX_ASPECT)).exp()
    sides = torch.stack([(areas * aspects).sqrt(), (areas / aspects).sqrt()])
    sides = torch.cat([sides, torch.ones(2, 1, count)], 1)  # the square itself always fits
    first = (sides <= 1).all(0).int().argmax(0)
    width, height = sides[:, first, torch.arange(count)]
    corner = (left * (1 - width), top * (1 - height))
    return torch.stack([*corner, width, height, (mirrored < 0.5).to(width)], 1)


def crop_tensors(pixels: Tensor, boxes: Tensor) -> Tensor:
    """Crop each picture to its box and resize it, bilinearly, to its former size.

    Args:
        pixels: floats of shape (n, C, H, W).
        boxes: of shape (n, 5), from :func:`draw_boxes`.

    Returns:
        Pictures of the shape of ``pixels``; pixels outside of a box have no effect.
    """
    height, width = pixels.shape[2:]
    left, top, box_width, box_height, mirrored = boxes.to(pixels).unsqueeze(2).unbind(1)
    x, y = (_positions(side, pixels) for side in (width, height))
    x = torch.where(mirrored > 0, x.flip(0), x)
    columns = _inside(left, box_width, x, width).unsqueeze(1).expand(-1, height, -1)
    rows = _inside(top, box_height, y, height).unsqueeze(2).expand(-1, -1, width)
    grid = 2 * torch.stack([columns, rows], 3) - 1
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _positions(side: int, like: Tensor) -> Tensor:
    """The centres of a row of pixels, in [0, 1], of shape (side,)."""
    return (torch.arange(side, device=like.device, dtype=like.dtype) + 0.5) / side


def _inside(start: Tensor, length: Tensor, positions: Tensor, side: int) -> Tensor:
    """The positions in the picture (n, side), at least half a pixel from the ends of the box.

    The distance keeps pixels outside of the box out of the interpolation.
    """
    margin = (length / 2).clamp(max=0.5 / side)
    return (start + length * positions).clamp(start + margin, start + length - margin)
