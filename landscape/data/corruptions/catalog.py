"""The 15 common corruptions by name, at five severities, for pictures of any size.

Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and
perturbations" (ICLR 2019). The parameters are those of the authors' code for ImageNet-C, made for
224x224, and for CIFAR-10-C, made for 32x32. For other sizes, a picture whose shorter side is below
85 pixels, the geometric mean, has the parameters of CIFAR-10-C, any other those of ImageNet-C;
parameters that are lengths in pixels are scaled by that side / 32 or / 224. Sides below 32 have the
lengths of 32, which are too short to be scaled down. Disks, zooms and moves are of whole pixels as
in the authors' code, so that at a size between the published ones a severity may exceed the next.

Deviations from the authors' code are in the docstring of each module. Common to all families:
results are rounded to bytes instead of truncated, and are not stored as JPEG as in ImageNet-C. At
both sizes every family changes pictures as much as theirs, within 10 % of the RMS change
(``python -m benchmarks.corruptions``).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.data.corruptions.blur import defocus_blur, glass_blur, motion_blur, zoom_blur
from landscape.data.corruptions.digital import (
    contrast,
    elastic_transform,
    jpeg_compression,
    pixelate,
)
from landscape.data.corruptions.noise import gaussian_noise, impulse_noise, shot_noise
from landscape.data.corruptions.weather import brightness, fog, frost, snow
from landscape.errors import InputError

SEVERITIES = (1, 2, 3, 4, 5)
CIFAR_SIDE, IMAGENET_SIDE = 32, 224

GROUPS = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
}

# Each takes float images (n, C, H, W) in [0, 1], a generator, and its parameters by name.
FAMILIES: dict[str, Callable[..., Tensor]] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "defocus_blur": defocus_blur,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a family by severity, as published for both data sets.

    Attributes:
        cifar: its values for CIFAR-10-C.
        imagenet: its values for ImageNet-C.
        power: 1 for a length in pixels, 2 for an area, 0 for what is independent of the size.
    """

    cifar: tuple[float, ...]
    imagenet: tuple[float, ...]
    power: int = 0

    def at(self, severity: int, side: int) -> float:
        """The value for pictures whose shorter side is ``side``."""
        if side < math.sqrt(CIFAR_SIDE * IMAGENET_SIDE):
            published, scale = self.cifar[severity - 1], max(1.0, side / CIFAR_SIDE)
        else:
            published, scale = self.imagenet[severity - 1], side / IMAGENET_SIDE
        # Whole numbers, such as a quality, have to stay whole.
        return published * scale**self.power if self.power else published


PARAMETERS = {
    "gaussian_noise": {
        "std": Parameter((0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),
    },
    "shot_noise": {"photons": Parameter((500, 250, 100, 75, 50), (60, 25, 12, 5, 3))},
    "impulse_noise": {
        "share": Parameter((0.01, 0.02, 0.03, 0.05, 0.07), (0.03, 0.06, 0.09, 0.17, 0.27)),
    },
    "defocus_blur": {
        "radius": Parameter((0.3, 0.4, 0.5, 1.0, 1.5), (3, 4, 6, 8, 10), power=1),
        "edge": Parameter((0.4, 0.5, 0.6, 0.2, 0.1), (0.1, 0.5, 0.5, 0.5, 0.5), power=1),
    },
    "glass_blur": {
        "sigma": Parameter((0.05, 0.25, 0.4, 0.25, 0.4), (0.7, 0.9, 1.0, 1.1, 1.5), power=1),
        "reach": Parameter((1, 1, 1, 1, 1), (1, 2, 2, 3, 4), power=1),
        "passes": Parameter((1, 1, 1, 2, 2), (2, 1, 3, 2, 2)),
    },
    "motion_blur": {
        "radius": Parameter((6, 6, 6, 8, 9), (10, 15, 15, 15, 20), power=1),
        "sigma": Parameter((1.0, 1.5, 2.0, 2.0, 2.5), (3, 5, 8, 12, 15), power=1),
    },
    "zoom_blur": {
        "largest": Parameter((1.06, 1.11, 1.15, 1.20, 1.25), (1.11, 1.15, 1.20, 1.24, 1.30)),
        "step": Parameter((0.01, 0.01, 0.01, 0.01, 0.01), (0.01, 0.01, 0.02, 0.02, 0.03)),
    },
    "snow": {
        "mean": Parameter((0.1, 0.1, 0.15, 0.25, 0.3), (0.1, 0.2, 0.55, 0.55, 0.55)),
        "std": Parameter((0.2, 0.2, 0.3, 0.3, 0.3), (0.3, 0.3, 0.3, 0.3, 0.3)),
        "flake": Parameter((1, 1, 1.75, 2.25, 1.25), (3, 2, 4, 4.5, 2.5), power=1),
        "threshold": Parameter((0.6, 0.5, 0.55, 0.6, 0.65), (0.5, 0.5, 0.9, 0.85, 0.85)),
        "radius": Parameter((8, 10, 10, 12, 14), (10, 12, 12, 12, 12), power=1),
        "sigma": Parameter((3, 4, 4, 6, 12), (4, 4, 8, 8, 12), power=1),
        "kept": Parameter((0.95, 0.9, 0.9, 0.85, 0.8), (0.8, 0.7, 0.7, 0.65, 0.55)),
    },
    "frost": {
        "kept": Parameter((1, 1, 0.9, 0.85, 0.75), (1, 0.8, 0.7, 0.65, 0.6)),
        "ice": Parameter((0.2, 0.3, 0.4, 0.4, 0.45), (0.4, 0.6, 0.7, 0.7, 0.75)),
    },
    "fog": {
        "thickness": Parameter((0.2, 0.5, 0.75, 1.0, 1.5), (1.5, 2.0, 2.5, 2.5, 3.0)),
        "decay": Parameter((3, 3, 2.5, 2, 1.75), (2, 2, 1.7, 1.5, 1.4)),
    },
    "brightness": {"shift": Parameter((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5))},
    "contrast": {"factor": Parameter((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05))},
    "elastic_transform": {
        "alpha": Parameter((0, 1.6, 2.56, 3.2, 3.2), (488, 488, 12.2, 17.08, 29.28), power=2),
        "sigma": Parameter((0, 6.4, 1.92, 1.28, 0.96), (170.8, 19.52, 2.44, 2.44, 2.44), power=1),
        "corner": Parameter((0.08, 0.07, 0.06, 0.05, 0.03), (0.109, 0.218, 0.0218, 0.0218, 0.0218)),
    },
    "pixelate": {"factor": Parameter((0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25))},
    "jpeg_compression": {"quality": Parameter((80, 65, 58, 50, 40), (25, 18, 15, 10, 7))},
}


def corrupt(pixels: Tensor, family: str, severity: int, generator: torch.Generator) -> Tensor:
    """Corrupt pictures.

    Args:
        pixels: bytes of shape (n, C, H, W) with C = 1 or 3, on the CPU.
        family: one of :data:`FAMILIES`.
        severity: from 1 to 5.
        generator: of the random numbers.

    Returns:
        A new tensor of the same shape and type.

    Raises:
        InputError: for another type or shape, an unknown family or severity.
    """
    if family not in FAMILIES:
        raise InputError(f"unknown corruption {family!r}; expected one of {', '.join(FAMILIES)}")
    if severity not in SEVERITIES:
        raise InputError(f"the severity of a corruption is a whole number 1 to 5, got {severity}")
    if pixels.dtype != torch.uint8 or pixels.dim() != 4 or pixels.shape[1] not in (1, 3):
        raise InputError(
            "corruptions are for uint8 pictures of shape (n, 1 or 3, height, width), "
            f"got {pixels.dtype} of shape {tuple(pixels.shape)}"
        )
    side = min(pixels.shape[2:])
    chosen = {name: table.at(severity, side) for name, table in PARAMETERS[family].items()}
    corrupted = FAMILIES[family](pixels.float() / 255, generator, **chosen)
    return (255 * corrupted.clamp(0, 1)).round().to(torch.uint8)
