"""Decoding of picture files to bytes of one size, in threads: Pillow releases the GIL."""

import logging
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from landscape.data.resampling import PLAIN, Resampling
from landscape.errors import InputError
from landscape.runtime.progress import track

LOGGER = logging.getLogger(__name__)

THREADS = 8
MANY = 1000


def decode(
    path: Path,
    image_size: int,
    crop: float = 1.0,
    box: Sequence[float] | None = None,
    resampling: Resampling = PLAIN,
) -> Tensor:
    """Decode a picture.

    Args:
        path: the file.
        image_size: the side of the result.
        crop: the share of the shorter side that a crop to the centre keeps.
        box: another crop: left, top, width and height in the unit square, and whether to mirror.
        resampling: how the picture is resized before the crop to the centre.

    Returns:
        Bytes of shape (3, image_size, image_size).

    Raises:
        InputError: for a picture that can't be read.
    """
    try:
        with Image.open(path) as picture:
            if box is None:
                rgb = frame(_to_rgb(picture), image_size, crop, resampling)
            else:
                rgb = _inside(picture, image_size, box)
    except Exception as error:  # decoders raise errors of many types for damaged files
        raise InputError(
            f"unreadable picture {path}: {error}; repair or remove it, or pass --skip-corrupt"
        ) from error
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1)


def frame(rgb: Image.Image, image_size: int, crop: float, resampling: Resampling) -> Image.Image:
    """Resize a picture and crop it to the centre, to the pixel as torchvision and timm do.

    Args:
        rgb: the picture.
        image_size: the side of the result.
        crop: the share of the resized side that the crop keeps.
        resampling: which sides are resized, and by which filter.
    """
    width, height = resampling.size_before_crop(*rgb.size, image_size, crop)
    if rgb.size != (width, height):
        rgb = rgb.resize((width, height), Image.Resampling[resampling.interpolation.upper()])
    left, top = (resampling.start_of_crop(side, image_size) for side in (width, height))
    return rgb.crop((left, top, left + image_size, top + image_size))


def _inside(picture: Image.Image, image_size: int, box: Sequence[float]) -> Image.Image:
    """Crop to a box, whose area and shape in pixels are kept where the picture is not square."""
    left, top, width, height, is_mirrored = box
    full = picture.size
    unit = math.sqrt(full[0] * full[1])
    sides = [min(unit * side, limit) for side, limit in zip((width, height), full, strict=True)]
    corner = [
        (limit - side) * (place / (1 - share) if share < 1 else 0.0)
        for limit, side, place, share in zip(full, sides, (left, top), (width, height), strict=True)
    ]
    # A JPEG decoder can skip detail that the smaller picture does not have.
    reduced = min(sides) / image_size
    if reduced >= 2:
        picture.draft("RGB", (int(full[0] / reduced), int(full[1] / reduced)))
    scales = [now / then for now, then in zip(picture.size, full, strict=True)]
    x, y = (place * scale for place, scale in zip(corner, scales, strict=True))
    w, h = (side * scale for side, scale in zip(sides, scales, strict=True))
    rgb = _to_rgb(picture).resize(
        (image_size, image_size), Image.Resampling.BILINEAR, box=(x, y, x + w, y + h)
    )
    return rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if is_mirrored else rgb


def readable(paths: Sequence[Path], root: Path) -> Tensor:
    """The indices of the pictures that can be decoded; the others are logged and counted.

    Args:
        paths: the pictures.
        root: their folder, for messages.

    Raises:
        InputError: if no picture can be decoded.
    """

    def problem(path: Path) -> str | None:
        try:
            with Image.open(path) as picture:
                _to_rgb(picture)
        except Exception as error:
            return str(error)
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        errors = list(track(pool.map(problem, paths), "looking for damage", total=len(paths)))
    damaged = [path for path, error in zip(paths, errors, strict=True) if error is not None]
    if len(damaged) == len(paths):
        raise InputError(f"none of the {len(paths)} pictures in {root} can be read")
    if damaged:
        names = ", ".join(str(path) for path in damaged[:10])
        more = f" and {len(damaged) - 10} more" if len(damaged) > 10 else ""
        LOGGER.info(f"skipped {len(damaged)} unreadable of {len(paths):,} pictures: {names}{more}")
    return torch.tensor([k for k, error in enumerate(errors) if error is None])


def _decode_at(
    path: Path,
    box: Sequence[float] | None,
    *,
    image_size: int,
    crop: float,
    resampling: Resampling,
) -> Tensor:
    return decode(path, image_size, crop, box, resampling)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255
        grey = np.asarray(picture).astype(np.uint32) // 257
        picture = Image.fromarray(grey.astype(np.uint8))
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def decode_all(
    paths: Sequence[Path],
    image_size: int,
    crop: float = 1.0,
    boxes: Tensor | None = None,
    resampling: Resampling = PLAIN,
) -> Tensor:
    """Decode pictures in threads, with a progress bar if there are many.

    Args:
        paths: the n files.
        image_size: the side of the result.
        crop: the share of the shorter side that a crop to the centre keeps.
        boxes: other crops (n, 5), as for :func:`decode`.
        resampling: as for :func:`decode`.

    Returns:
        Bytes of shape (n, 3, image_size, image_size).

    Raises:
        InputError: for a picture that can't be read.
    """
    pixels = torch.empty(len(paths), 3, image_size, image_size, dtype=torch.uint8)
    places = [None] * len(paths) if boxes is None else boxes.tolist()
    with ThreadPoolExecutor(THREADS) as pool:
        read = partial(_decode_at, image_size=image_size, crop=crop, resampling=resampling)
        decoded: Iterable[Tensor] = pool.map(read, paths, places)
        if len(paths) > MANY:
            decoded = track(decoded, "reading pictures", total=len(paths))
        for k, picture in enumerate(decoded):
            pixels[k] = picture
    return pixels


def shorter_side(path: Path) -> int:
    """The shorter side of a picture in pixels; raises InputError if it can't be read."""
    try:
        with Image.open(path) as picture:
            return min(picture.size)
    except Exception as error:
        raise InputError(f"unreadable picture {path}: {error}; repair or remove it") from error
