"""Digital corruptions of ImageNet-C: contrast, elastic transform, pixelate and JPEG.

Deviation from the published code: pixelate rounds once, not after each of Pillow's passes.
"""

from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import gaussian_filter
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
    two thirds of the shorter side by up to ``corner`` of that side. Pictures are interpolated
    twice, and mirrored outside: at the centres of the outermost pixels for the affine map, at
    their edges for the field.
    """
    n, _, height, width = images.shape
    right, down = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
    places = torch.stack([right, down]).double()
    maps = _affine_maps(n, height, width, corner, generator)
    moved = (maps[..., :2] @ places.flatten(1) + maps[..., 2:]).view(n, 2, height, width)
    warped = _interpolated(images, moved, mirror_at_centres=True)
    noise = 2 * torch.rand(n, 2, height, width, generator=generator) - 1
    field = _smoothing(height, sigma) @ noise @ _smoothing(width, sigma).T
    return _interpolated(warped, places + alpha * field, mirror_at_centres=False)


def _affine_maps(
    n: int, height: int, width: int, corner: float, generator: torch.Generator
) -> Tensor:
    """Random maps (n, 2, 3) from places (right, down, 1) of the result to places of a picture."""
    side = min(height, width)
    centre = torch.tensor([width // 2, height // 2])
    corners = centre + side // 3 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]).double()
    drawn = torch.rand(n, 3, 2, generator=generator, dtype=torch.float64)
    moved = corners + corner * side * (2 * drawn - 1)
    ones = torch.ones_like(moved[..., :1])
    return torch.linalg.solve(torch.cat([moved, ones], 2), corners.expand(n, 3, 2)).mT


def _interpolated(images: Tensor, places: Tensor, mirror_at_centres: bool) -> Tensor:
    """Images (n, C, H, W) at ``places`` (n, 2, H, W), each a column and a row of the images."""
    sizes = torch.tensor(images.shape[:1:-1]).view(2, 1, 1)
    if mirror_at_centres:
        grid = 2 * places / (sizes - 1).clamp(min=1) - 1
    else:
        grid = (2 * places + 1) / sizes - 1
    return F.grid_sample(
        images,
        grid.permute(0, 2, 3, 1).to(images.dtype),
        padding_mode="reflection",
        align_corners=mirror_at_centres,
    )


def _smoothing(size: int, sigma: float) -> Tensor:
    """The matrix (size, size) of a Gaussian filter, truncated at 3 sigma and mirrored outside."""
    # A product with a matrix costs the same for any sigma, which can be most of the size.
    smoothed = gaussian_filter(np.eye(size), (sigma, 0), mode="reflect", truncate=3)
    return torch.from_numpy(smoothed).float()


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
