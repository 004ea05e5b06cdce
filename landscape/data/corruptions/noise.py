"""Noise of ImageNet-C: Gaussian, shot and impulse, drawn for each value of each channel."""

import torch
from torch import Tensor


def gaussian_noise(images: Tensor, generator: torch.Generator, *, std: float) -> Tensor:
    """Add normal noise of standard deviation ``std`` to images (n, C, H, W) in [0, 1]."""
    return images + std * torch.randn(images.shape, generator=generator)


def shot_noise(images: Tensor, generator: torch.Generator, *, photons: float) -> Tensor:
    """Replace images (n, C, H, W) by photon counts, of mean ``photons`` where the images are 1.

    The result is a Poisson number divided by ``photons``: its mean is the pixel, its variance the
    pixel / ``photons``.
    """
    return torch.poisson(images * photons, generator=generator) / photons


def impulse_noise(images: Tensor, generator: torch.Generator, *, share: float) -> Tensor:
    """Set a ``share`` of the values of images (n, C, H, W) to 0 or 1, with equal probability."""
    drawn = torch.rand(images.shape, generator=generator)
    # The same number decides whether a value is replaced, and by what.
    return torch.where(drawn < share, (drawn < share / 2).to(images.dtype), images)
