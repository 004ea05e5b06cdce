"""Noise of ImageNet-C: gaussian, shot and impulse, drawn for each value of each channel."""

import torch
from torch import Tensor


def gaussian_noise(images: Tensor, generator: torch.Generator, *, std: float) -> Tensor:
    """Add normal noise of standard deviation ``std`` to images (n, C, H, W) in [0, 1]."""
    return images + std * torch.randn(images.shape, generator=generator)


def shot_noise(images: Tensor, generator: torch.Generator, *, photons: float) -> Tensor:
    """Count photons, ``photons`` of them expected where images (n, C, H, W) are 1.

    Poisson counts divided by ``photons``: the mean stays, the variance is the mean / ``photons``.
    """
    return torch.poisson(images * photons, generator=generator) / photons


def impulse_noise(images: Tensor, generator: torch.Generator, *, share: float) -> Tensor:
    """Put a ``share`` of the values of images (n, C, H, W) to 0 or 1, half of them each."""
    drawn = torch.rand(images.shape, generator=generator)
    # One number says both whether a value is hit and by which of the two.
    return torch.where(drawn < share, (drawn < share / 2).to(images.dtype), images)
