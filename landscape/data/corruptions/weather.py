"""Weather of ImageNet-C: snow, frost, fog and brightness.

Deviations from the published code: frost is generated instead of cropped from photographs, with
their mean and contrast in each channel, and about their difference of neighbouring pixels; the
layer of snow is not rounded to bytes.
"""

import math

import torch
from torch import Tensor

from landscape.data.corruptions.blur import clipped_zoom, smear

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
# Mean and standard deviation of red, green and blue, in bytes, of the five photographs of frost
# among which the published code draws; the second and the third are the same.
FROSTS = (
    ((77.7, 149.1, 165.7), (28.1, 16.5, 14.9)),
    ((200.8, 205.4, 214.5), (20.3, 21.1, 21.9)),
    ((200.8, 205.4, 214.5), (20.3, 21.1, 21.9)),
    ((137.6, 152.8, 165.2), (26.8, 26.9, 28.3)),
    ((112.4, 123.4, 134.8), (38.6, 38.0, 37.0)),
)
FROST_DECAY = 1.1


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
    noise = mean + std * torch.randn(n, 1, height, width, generator=generator)
    layer = clipped_zoom(noise, max(flake, 1.0))
    layer = torch.where(layer < threshold, 0.0, layer).clamp(0, 1)
    angles = (torch.rand(n, generator=generator) - 1.5) * math.pi / 2
    layer = smear(layer, angles, radius, sigma)
    white = torch.maximum(images, 1.5 * _grey(images) + 0.5)
    return kept * images + (1 - kept) * white + layer + layer.flip(2, 3)


def frost(images: Tensor, generator: torch.Generator, *, kept: float, ice: float) -> Tensor:
    """Multiply images (n, C, H, W) by ``kept`` and add ``ice`` times a texture of frost.

    The texture is ridges of a plasma, in the colours and the contrast of one of the photographs.
    """
    n, channels, height, width = images.shape
    photographs = torch.randint(len(FROSTS), (n,), generator=generator)
    colours = torch.tensor(FROSTS)[photographs].permute(1, 0, 2).unsqueeze(-1).unsqueeze(-1) / 255
    mean, std = colours if channels == 3 else map(_grey, colours)
    ridges = -(2 * plasma(n, height, width, FROST_DECAY, generator) - 1).abs()
    ridges -= ridges.mean((2, 3), keepdim=True)
    ridges /= ridges.square().mean((2, 3), keepdim=True).sqrt().clamp(min=1e-6)
    return kept * images + ice * (mean + std * ridges).clamp(0, 1)


def fog(images: Tensor, generator: torch.Generator, *, thickness: float, decay: float) -> Tensor:
    """Add ``thickness`` times a plasma to images (n, C, H, W), and rescale to their maxima."""
    n, _, height, width = images.shape
    brightest = images.amax((1, 2, 3), keepdim=True)
    foggy = images + thickness * plasma(n, height, width, decay, generator)
    return foggy * brightest / (brightest + thickness)


def plasma(n: int, height: int, width: int, decay: float, generator: torch.Generator) -> Tensor:
    """Fractal heights (n, 1, height, width), cropped from squares that range from 0 to 1.

    They are made by the diamond-square algorithm on a torus. In each octave, which halves the
    distance of the points, the centres of the squares and then those of the diamonds between them
    are the mean of their four neighbours plus uniform noise. As in the published code, which draws
    the amplitude times a number that also has this amplitude, an octave divides the noise by the
    square of ``decay``.
    """

    def displaced(total: Tensor, amplitude: float) -> Tensor:
        noise = 2 * torch.rand(total.shape, generator=generator) - 1
        return total / 4 + amplitude * noise

    step, amplitude = 2 ** max(1, math.ceil(math.log2(max(height, width)))), 1.0
    heights = torch.zeros(n, step, step)
    while step > 1:
        half = step // 2
        corners = heights[:, ::step, ::step]
        beside = corners + corners.roll(-1, 2)
        below = corners + corners.roll(-1, 1)
        centres = displaced(beside + beside.roll(-1, 1), amplitude)
        heights[:, half::step, half::step] = centres
        beside += centres + centres.roll(1, 1)
        below += centres + centres.roll(1, 2)
        heights[:, ::step, half::step] = displaced(beside, amplitude)
        heights[:, half::step, ::step] = displaced(below, amplitude)
        step, amplitude = half, amplitude / decay**2
    low, high = heights.amin((1, 2), keepdim=True), heights.amax((1, 2), keepdim=True)
    return ((heights - low) / (high - low))[:, None, :height, :width]


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
