"""Digital corruptions of ImageNet-C: contrast, elastic transform, pixelate and JPEG.

Deviations from the published code: pixelate rounds once, not after each of Pillow's passes; the
affine map and the displacements of the elastic transform are one bilinear resampling, not two.
"""

from io import BytesIO

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from torch import Tensor


def contrast(images: Tensor, generator: torch.Generator, *, factor: float) -> Tensor:
    """Scale images (n, C, H, W) by ``factor`` about the mean of each channel of each picture."""
    mean = images.mean((2, 3), keepdim=True)
    return factor * (images - mean) + mean


def elastic_transform(
    images: Tensor, generator: torch.Generator, *, alpha: float, sigma: float, corner: float
) -> Tensor:
    """Move the pixels of images (n, C, H, W) by a random affine map and a smooth random field.

    As in Simard, Steinkraus and Platt (2003), the field is ``alpha`` times noise in [-1, 1] that
    is smoothed by a Gaussian of ``sigma`` pixels. The affine map moves three corners of a square of
    two thirds of the shorter side by up to ``corner`` of that side. Outside, the picture is
    mirrored.
    """
    n, channels, height, width = images.shape
    noise = 2 * torch.rand(n, 2, height, width, generator=generator, dtype=torch.float64) - 1
    field = alpha * gaussian_filter(noise.numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=3)
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"))
    moved = torch.empty_like(images)
    for picture in range(n):
        affine = _affine(height, width, corner, generator)
        # The displacements are of places that the affine map has already moved.
        places = np.concatenate([grid + field[picture], np.ones((1, height, width))])
        source = np.tensordot(affine, places, 1)
        for channel in range(channels):
            plane = map_coordinates(
                images[picture, channel].numpy(), source, order=1, mode="mirror"
            )
            moved[picture, channel] = torch.from_numpy(plane)
    return moved


def _affine(
    height: int, width: int, corner: float, generator: torch.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A random map (2, 3) from places (row, column, 1) of the result to places of the picture."""
    side = min(height, width)
    centre, half = np.array([height // 2, width // 2]), side // 3
    corners = centre + half * np.array([[1, 1], [1, -1], [-1, -1]])
    drawn = torch.rand(3, 2, generator=generator, dtype=torch.float64).numpy()
    moved = corners + corner * side * (2 * drawn - 1)
    return np.linalg.solve(np.column_stack([moved, np.ones(3)]), corners).T


def pixelate(images: Tensor, generator: torch.Generator, *, factor: float) -> Tensor:
    """Reduce images (n, C, H, W) to ``factor`` of their sides, and enlarge them, by boxes."""
    height, width = images.shape[2:]
    down_rows, up_rows = _boxes(height, factor)
    down_columns, up_columns = _boxes(width, factor)
    small = down_rows @ images @ down_columns.T
    return small[:, :, up_rows][..., up_columns]


def _boxes(size: int, factor: float) -> tuple[Tensor, Tensor]:
    """Pillow's BOX filter along an axis: means (small, size), and indices back (size,)."""
    small = max(1, int(size * factor))
    edges = (torch.arange(small + 1) * size / small + 0.5).floor()
    place = torch.arange(size)
    means = ((place >= edges[:-1].unsqueeze(1)) & (place < edges[1:].unsqueeze(1))).float()
    means /= means.sum(1, keepdim=True)
    return means, ((place + 0.5) * small / size).long()


def jpeg_compression(images: Tensor, generator: torch.Generator, *, quality: int) -> Tensor:
    """Images (n, C, H, W) after Pillow's JPEG of ``quality``."""
    pixels = (255 * images).round().to(torch.uint8)
    return torch.stack([_through_jpeg(picture, quality) for picture in pixels]).float() / 255


def _through_jpeg(picture: Tensor, quality: int) -> Tensor:
    channels = len(picture)
    array = picture[0] if channels == 1 else picture.permute(1, 2, 0)
    file = BytesIO()
    Image.fromarray(array.numpy()).save(file, "JPEG", quality=quality)
    with Image.open(file) as decoded:
        result = torch.from_numpy(np.array(decoded))
    return result.unsqueeze(0) if channels == 1 else result.permute(2, 0, 1)
