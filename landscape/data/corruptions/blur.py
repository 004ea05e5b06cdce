"""Blurs of ImageNet-C: defocus, glass, motion and zoom.

Deviation from the published code: intermediate pictures are not truncated to bytes.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor


def defocus_blur(
    images: Tensor, generator: torch.Generator, *, radius: float, edge: float
) -> Tensor:
    """Average images (n, C, H, W) over a disk of ``radius`` pixels, softened by ``edge`` pixels."""
    kernel = disk(radius, edge)
    planes = images.flatten(0, 1).unsqueeze(1)
    pad = len(kernel) // 2
    rows, columns = (_mirrored(size, pad) for size in images.shape[2:])
    padded = planes[:, :, rows][..., columns]
    return F.conv2d(padded, kernel.view(1, 1, *kernel.shape)).view_as(images)


def disk(radius: float, edge: float) -> Tensor:
    """The kernel (k, k) of the published defocus blur.

    It is the pixels within ``radius`` of the central one, smoothed by a Gaussian of standard
    deviation ``edge``. The published code does so on a grid that ends at the larger of 8 and the
    radius, where it is mirrored: then the sum of the kernel is about 1.01.
    """
    reach = math.floor(radius)
    ring = max(1, round(2 * edge))
    grid = max(8, reach)
    squares = np.square(np.arange(-grid, grid + 1))
    inside = (squares[:, None] + squares <= radius**2).astype(float)
    kernel = gaussian_filter(inside / inside.sum(), edge, mode="mirror", radius=ring)
    cut = max(0, grid - reach - ring)
    return torch.from_numpy(kernel[cut : len(kernel) - cut, cut : len(kernel) - cut]).float()


def _mirrored(size: int, pad: int) -> Tensor:
    """The places along an axis of ``size`` pixels with ``pad`` mirrored ones on each side."""
    period = max(1, 2 * (size - 1))
    places = torch.arange(-pad, size + pad) % period
    return torch.minimum(places, period - places)


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Images (n, C, H, W) after a Gaussian blur of ``sigma`` pixels, truncated at 4 sigma."""
    blurred = gaussian_filter(images.numpy(), (0, 0, sigma, sigma), mode="nearest", truncate=4)
    return torch.from_numpy(blurred)


def glass_blur(
    images: Tensor, generator: torch.Generator, *, sigma: float, reach: float, passes: int
) -> Tensor:
    """Blur images (n, C, H, W), replace pixels by near ones ``passes`` times, and blur again.

    Pixels are visited from the last to the first. Each becomes the one up to ``reach`` rows and
    columns before it, or less than ``reach`` after it. (The published code is written as a swap,
    but its two sides are views of one array: the other pixel keeps its value.) A reach below 1 is a
    reach of 1 in a share reach^2 of the visits, which has the same mean square displacement.
    """
    n, channels, height, width = images.shape
    order = torch.arange(height * width).expand(n, -1)
    for _ in range(passes):
        order = order.gather(1, scattered(n, height, width, reach, generator))
    index = order.unsqueeze(1).expand(-1, channels, -1)
    blurred = gaussian_blur(images, sigma)
    return gaussian_blur(blurred.flatten(2).gather(2, index).view_as(images), sigma)


def scattered(n: int, height: int, width: int, reach: float, generator: torch.Generator) -> Tensor:
    """The number of the pixel that each of the H W pixels becomes in a pass, (n, H W)."""
    distance = max(reach, 1.0)
    margin = math.ceil(distance)
    rows = torch.arange(height)[margin + 1 : height - margin + 1]
    columns = torch.arange(width)[margin + 1 : width - margin + 1]
    visited = (rows.unsqueeze(1) * width + columns).flatten()
    drawn = 2 * torch.rand(2, n, len(visited), generator=generator) - 1
    down, right = (distance * drawn).floor().long()
    moves = down * width + right
    if reach < 1:
        moves *= torch.rand(moves.shape, generator=generator) < reach**2
    partners = visited + moves
    # A partner that was visited before, in its row or below, is what it has become: a number of at
    # least H W stands for that. Following these numbers doubles the steps each time.
    pixels = height * width
    inside = torch.zeros(pixels, dtype=torch.bool)
    inside[visited] = True
    partners += pixels * (inside[partners] & (moves > 0))
    source = torch.arange(pixels).repeat(n, 1)
    source[:, visited] = partners
    flat = source.flatten()
    open_ended = (flat >= pixels).nonzero().squeeze(1)
    while len(open_ended):
        first_of_picture = open_ended // pixels * pixels
        followed = flat[flat[open_ended] - pixels + first_of_picture]
        flat[open_ended] = followed
        open_ended = open_ended[followed >= pixels]
    return flat.view(n, pixels)


def motion_blur(
    images: Tensor, generator: torch.Generator, *, radius: float, sigma: float
) -> Tensor:
    """Smear each of the images (n, C, H, W) along a direction within 45 degrees of the rows."""
    angles = (torch.rand(len(images), generator=generator) - 0.5) * math.pi / 2
    return smear(images, angles, radius, sigma)


def smear(images: Tensor, angles: Tensor, radius: float, sigma: float) -> Tensor:
    """Images (n, C, H, W) averaged along ``angles`` (n,) with one side of a Gaussian.

    As in ImageMagick, the average is over 2 ceil(radius) + 1 pixels on a line from each pixel,
    with weights exp(-i^2 / (2 sigma^2)).
    """
    n, _, height, width = images.shape
    steps = torch.arange(2 * math.ceil(radius) + 1)
    weights = torch.exp(-steps.square() / (2 * sigma**2))
    weights /= weights.sum()
    sample = torch.arange(n).view(n, 1, 1)
    smeared = torch.zeros_like(images).permute(0, 2, 3, 1)
    for step, weight in zip(steps, weights, strict=True):
        down = (step * angles.sin() - 0.5).ceil().long().unsqueeze(1)
        right = (step * angles.cos() - 0.5).ceil().long().unsqueeze(1)
        rows = (torch.arange(height) + down).clamp(0, height - 1)
        columns = (torch.arange(width) + right).clamp(0, width - 1)
        # The index arrays on both sides of a slice put the channels last.
        smeared += weight * images[sample, :, rows.unsqueeze(2), columns.unsqueeze(1)]
    return smeared.permute(0, 3, 1, 2)


def zoom_blur(images: Tensor, generator: torch.Generator, *, largest: float, step: float) -> Tensor:
    """Average images (n, C, H, W) with their enlargements 1, 1 + step, ... up to ``largest``."""
    factors = np.arange(1, largest + step / 2, step).tolist()
    total = images.clone()
    for factor in factors:
        total += clipped_zoom(images, factor)
    return total / (len(factors) + 1)


def clipped_zoom(images: Tensor, factor: float) -> Tensor:
    """The centre of images (n, C, H, W), enlarged ``factor`` times to their size.

    As in the published code a crop of whole pixels is enlarged to whole pixels, corner on corner.
    """
    sizes = images.shape[2:]
    crops = [math.ceil(size / factor) for size in sizes]
    top, left = ((size - crop) // 2 for size, crop in zip(sizes, crops, strict=True))
    cropped = images[:, :, top : top + crops[0], left : left + crops[1]]
    enlarged = F.interpolate(
        cropped, [round(crop * factor) for crop in crops], mode="bilinear", align_corners=True
    )
    top, left = ((large - size) // 2 for large, size in zip(enlarged.shape[2:], sizes, strict=True))
    return enlarged[:, :, top : top + sizes[0], left : left + sizes[1]]
