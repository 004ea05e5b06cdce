"""Weather of ImageNet-C: snow, frost, fog and brightness.

Deviations from the published code: frost is generated, as ridges of multi-octave noise where a
second such noise is high, instead of cropped from six photographs; the plasma of fog and frost is
made by repeated bilinear doubling of a grid of noise instead of the diamond-square algorithm; the
layer of snow is not rounded to bytes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from landscape.data.corruptions.blur import smear

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
ICE = (0.87, 0.94, 1.0)
FROST_DECAY = 1.6
FROST_COVER = (0.25, 0.6)  # heights of the cover between which ice grows from none to full


def snow(
    images: Tensor,
    generator: torch.Generator,
    *,
    mean: float,
    std: float,
    flake: float,
    threshold: float,
    radius: float,
    sigma: float,
    kept: float,
) -> Tensor:
    """Add snowflakes to images (n, C, H, W) and whiten the images.

    The flakes are normal noise of ``mean`` and ``std``, enlarged ``flake`` times, set to 0 below
    ``threshold``, and smeared along a direction within 45 degrees of the columns. They are added
    twice, once turned by 180 degrees, to ``kept`` times the image plus 1 - ``kept`` times a
    whitened image.
    """
    n, _, height, width = images.shape
    flake = max(flake, 1.0)
    small = (n, 1, math.ceil(height / flake), math.ceil(width / flake))
    noise = mean + std * torch.randn(small, generator=generator)
    layer = F.interpolate(noise, (height, width), mode="bilinear", align_corners=True)
    layer = torch.where(layer < threshold, 0.0, layer).clamp(0, 1)
    angles = (torch.rand(n, generator=generator) - 1.5) * math.pi / 2
    layer = smear(layer, angles, radius, sigma)
    white = torch.maximum(images, 1.5 * _grey(images) + 0.5)
    return kept * images + (1 - kept) * white + layer + layer.flip(2, 3)


def frost(images: Tensor, generator: torch.Generator, *, kept: float, ice: float) -> Tensor:
    """Multiply images (n, C, H, W) by ``kept`` and add ``ice`` times a texture of frost."""
    n, channels, height, width = images.shape
    ridged = 1 - (2 * plasma(n, height, width, FROST_DECAY, generator) - 1).abs()
    low, high = FROST_COVER
    cover = (plasma(n, height, width, 2 * FROST_DECAY, generator) - low) / (high - low)
    texture = ridged.square() * cover.clamp(0, 1)
    colour = torch.tensor(ICE if channels == 3 else (1.0,)).view(1, -1, 1, 1)
    return kept * images + ice * texture * colour


def fog(images: Tensor, generator: torch.Generator, *, thickness: float, decay: float) -> Tensor:
    """Add ``thickness`` times a plasma to images (n, C, H, W), and rescale to their maxima."""
    n, _, height, width = images.shape
    brightest = images.amax((1, 2, 3), keepdim=True)
    foggy = images + thickness * plasma(n, height, width, decay, generator)
    return foggy * brightest / (brightest + thickness)


def plasma(n: int, height: int, width: int, decay: float, generator: torch.Generator) -> Tensor:
    """Fractal heights (n, 1, height, width), cropped from squares that range from 0 to 1.

    Each octave halves the length and divides the amplitude by ``decay``.
    """
    octaves = max(1, math.ceil(math.log2(max(height, width))))
    heights = torch.zeros(n, 1, 1, 1)
    for octave in range(octaves):
        heights = F.interpolate(heights, scale_factor=2, mode="bilinear", align_corners=False)
        heights += (2 * torch.rand(heights.shape, generator=generator) - 1) / decay**octave
    low, high = heights.amin((2, 3), keepdim=True), heights.amax((2, 3), keepdim=True)
    return ((heights - low) / (high - low))[:, :, :height, :width]


def brightness(images: Tensor, generator: torch.Generator, *, shift: float) -> Tensor:
    """Increase the value (the V of HSV) of images (n, C, H, W) by ``shift``, up to 1.

    Hue and saturation are unchanged, so the channels of a pixel grow by the same factor; black
    becomes grey.
    """
    value = images.amax(1, keepdim=True)
    raised = (value + shift).clamp(max=1)
    return torch.where(value > 0, images * raised / value.clamp(min=1e-6), raised)


def _grey(images: Tensor) -> Tensor:
    """The luma (n, 1, H, W) of colour pictures; grey pictures are unchanged."""
    if images.shape[1] == 1:
        return images
    return (images * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
