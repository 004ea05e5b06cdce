"""Blurs of ImageNet-C: defocus, glass, motion and zoom. Border pixels are repeated outwards.

Deviations from the published code, apart from that border: the disk of the defocus blur is
antialiased by its exact area instead of a Gaussian, and the zoom blur scales about the exact
centre instead of scaling a crop of whole pixels.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor


def defocus_blur(images: Tensor, generator: torch.Generator, *, radius: float) -> Tensor:
    """Average images (n, C, H, W) over a disk of ``radius`` pixels."""
    kernel = disk(radius)
    planes = images.flatten(0, 1).unsqueeze(1)
    pad = len(kernel) // 2
    padded = F.pad(planes, (pad, pad, pad, pad), mode="replicate")
    return F.conv2d(padded, kernel.view(1, 1, *kernel.shape)).view_as(images)


def disk(radius: float, samples: int = 201) -> Tensor:
    """The kernel (k, k) that averages a bilinearly interpolated picture over a disk.

    It is a continuous function of the radius, and the identity at 0. The integral is a sum over
    ``samples`` points across the diameter.
    """
    reach = math.ceil(radius)
    across = radius * (2 * torch.arange(samples) + 1 - samples) / samples
    inside = (across.square().unsqueeze(1) + across.square() <= radius**2).float()
    pixels = torch.arange(-reach, reach + 1)
    hats = (1 - (across.unsqueeze(1) - pixels).abs()).clamp(min=0)
    return hats.T @ inside @ hats / inside.sum()


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Images (n, C, H, W) after a Gaussian blur of ``sigma`` pixels, truncated at 4 sigma."""
    blurred = gaussian_filter(images.numpy(), (0, 0, sigma, sigma), mode="nearest", truncate=4)
    return torch.from_numpy(blurred)


def glass_blur(
    images: Tensor, generator: torch.Generator, *, sigma: float, reach: float, passes: int
) -> Tensor:
    """Blur images (n, C, H, W), swap pixels with near ones ``passes`` times, and blur again.

    Pixels are visited from the last to the first. Each is swapped with one up to ``reach`` rows and
    columns before it, or less than ``reach`` after it. A reach below 1 is a reach of 1 in a share
    reach^2 of the visits, which has the same mean square displacement.
    """
    blurred = gaussian_blur(images, sigma)
    order = torch.from_numpy(_shuffled(images, generator, reach, passes))
    index = order.T.unsqueeze(1).expand(-1, images.shape[1], -1)
    return gaussian_blur(blurred.flatten(2).gather(2, index).view_as(images), sigma)


def _shuffled(
    images: Tensor, generator: torch.Generator, reach: float, passes: int
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """The number of the pixel that ends at each of the H W places of each picture, (H W, n)."""
    n, _, height, width = images.shape
    pictures = np.arange(n)
    order = np.repeat(np.arange(height * width)[:, None], n, axis=1)
    distance = max(reach, 1.0)
    margin = math.ceil(distance)
    places = torch.cartesian_prod(
        torch.arange(height - margin, margin, -1), torch.arange(width - margin, margin, -1)
    )
    for _ in range(passes):
        drawn = 2 * torch.rand(2, len(places), n, generator=generator) - 1
        moves = (distance * drawn).floor().long()
        moves *= torch.rand(len(places), n, generator=generator) < reach**2
        rows, columns = places.T.unsqueeze(2) + moves
        partners = (rows * width + columns).numpy()
        visited = (places[:, 0] * width + places[:, 1]).tolist()
        # Each swap depends on those before it; only the pictures are independent of each other.
        for place, partner in zip(visited, partners, strict=True):
            here = order[place].copy()
            order[place] = order[partner, pictures]
            order[partner, pictures] = here
    return order


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
    count = round((largest - 1) / step) + 1
    total = images.clone()
    for number in range(count):
        shrink = 1 / (1 + number * step)
        affine = torch.tensor([[shrink, 0.0, 0.0], [0.0, shrink, 0.0]])
        grid = F.affine_grid(
            affine.expand(len(images), 2, 3), list(images.shape), align_corners=False
        )
        total += F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return total / (count + 1)
