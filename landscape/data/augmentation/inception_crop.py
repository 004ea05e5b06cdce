"""Inception crops: random area and aspect ratio (Szegedy et al., CVPR 2015).

Boxes are drawn as TensorFlow's ``sample_distorted_bounding_box`` draws them with the arguments that
big_vision passes (``decode_jpeg_and_inception_crop``): in whole pixels, the aspect ratio uniform,
the height uniform among those whose area is allowed. Small boxes are therefore more frequent than
with a uniform area: a quarter of those of a 500x375 picture are below 15% of its area.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import InputError

ATTEMPTS = 100
ASPECTS = (0.75, 1.33)  # width / height; TensorFlow's default
MIN_AREA = 0.05


def draw_crops(count: int, generator: torch.Generator) -> Tensor:
    """Draw the uniform random numbers of crops, for :func:`boxes_of`.

    They don't depend on the size of the pictures, so that every process can draw those of a whole
    batch without reading it.

    Args:
        count: how many crops.
        generator: of the random numbers.

    Returns:
        Numbers in [0, 1): left, top, mirrored, and aspect ratio and height of every attempt, of
        shape (count, 3 + 2 * ATTEMPTS).
    """
    return torch.rand(count, 3 + 2 * ATTEMPTS, generator=generator)


def boxes_of(crops: Tensor, height: int, width: int, min_area: float = MIN_AREA) -> Tensor:
    """The boxes that crops cut out of pictures of one size.

    The first attempt counts whose box fits into the picture and has an area of at least
    ``min_area``; if none does, the box is the picture. Half of the boxes are mirrored. As in
    TensorFlow, a box that is smaller than the picture never touches its right or lower border.

    Args:
        crops: random numbers (n, 3 + 2 * ATTEMPTS), from :func:`draw_crops`.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
        min_area: the least area of a box, as a share of the picture's.

    Returns:
        Left, top, width and height in pixels, and 1 if mirrored, else 0; integers (n, 5).

    Raises:
        InputError: unless 0 < min_area <= 1.

    Example:
        >>> crops = draw_crops(2, torch.Generator().manual_seed(0))
        >>> boxes_of(crops, height=375, width=500).shape
        torch.Size([2, 5])
    """
    if not 0 < min_area <= 1:
        raise InputError(f"the least area of a crop has to be in (0, 1], got {min_area}")
    numbers = crops.numpy()
    sides = np.tile(np.array([[height], [width]], np.float64), len(numbers))
    pending = np.arange(len(numbers))
    for attempt in range(ATTEMPTS):
        drawn = numbers[pending, 3 + 2 * attempt : 5 + 2 * attempt].astype(np.float64)
        tried = _attempt(drawn[:, 0], drawn[:, 1], height, width, min_area)
        has_fitted = _fits(tried, height, width, min_area)
        sides[:, pending[has_fitted]] = tried[:, has_fitted]
        pending = pending[~has_fitted]
        if len(pending) == 0:
            break
    heights, widths = sides
    left, top = numbers[:, 0] * (width - widths), numbers[:, 1] * (height - heights)
    boxes = np.stack([left, top, widths, heights, numbers[:, 2] < 0.5], 1)
    return torch.from_numpy(boxes.astype(np.int64))


def _attempt(
    aspect_numbers: NDArray[np.float64],
    height_numbers: NDArray[np.float64],
    height: int,
    width: int,
    min_area: float,
) -> NDArray[np.float64]:
    """Heights and widths of boxes (2, n), drawn by uniform numbers."""
    aspects = ASPECTS[0] + (ASPECTS[1] - ASPECTS[0]) * aspect_numbers
    area = height * width
    high = np.rint(np.sqrt(area / aspects))
    # The greatest height whose width rounds to that of the picture at most.
    high = np.minimum(high, np.floor((width + 0.5 - 1e-7) / aspects))
    high = np.minimum(high, height)
    low = np.minimum(np.rint(np.sqrt(min_area * area / aspects)), high)
    heights = low + np.floor(height_numbers * (high - low + 1))
    # One pixel more or less where rounding put the area just outside of what is allowed.
    heights += heights * np.rint(heights * aspects) < min_area * area
    heights -= heights * np.rint(heights * aspects) > area
    return np.stack([heights, np.rint(heights * aspects)])


def _fits(
    sides: NDArray[np.float64], height: int, width: int, min_area: float
) -> NDArray[np.bool_]:
    heights, widths = sides
    is_inside = (heights >= 1) & (heights <= height) & (widths >= 1) & (widths <= width)
    is_large: NDArray[np.bool_] = heights * widths >= min_area * height * width
    return is_inside & is_large


def crop_tensors(pixels: Tensor, boxes: Tensor) -> Tensor:
    """Crop each picture to its box and resize it, bilinearly, to its former size.

    Args:
        pixels: floats of shape (n, C, H, W).
        boxes: of shape (n, 5), as from :func:`boxes_of`.

    Returns:
        Pictures of the shape of ``pixels``; pixels outside of a box have no effect.
    """
    height, width = pixels.shape[2:]
    left, top, box_width, box_height, mirrored = boxes.to(pixels).unsqueeze(2).unbind(1)
    x, y = (_positions(side, pixels) for side in (width, height))
    x = torch.where(mirrored > 0, x.flip(0), x)
    columns = _inside(left / width, box_width / width, x, width)
    rows = _inside(top / height, box_height / height, y, height)
    columns = columns.unsqueeze(1).expand(-1, height, -1)
    rows = rows.unsqueeze(2).expand(-1, -1, width)
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
