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

from landscape.data.augmentation.inception_crop import boxes_of
from landscape.data.resampling import PLAIN, Resampling
from landscape.errors import InputError
from landscape.runtime.progress import track

LOGGER = logging.getLogger(__name__)

THREADS = 8
MANY = 1000


def open_picture(path: Path) -> Image.Image:
    """Open a picture, which has to be a regular file: opening a pipe would wait for a writer.

    Raises:
        OSError: It is something else, or no picture.
    """
    if path.exists() and not path.is_file():
        raise OSError("it is no regular file")
    return Image.open(path)


def decode(
    path: Path,
    image_size: int,
    crop: float = 1.0,
    random_crop: Tensor | None = None,
    resampling: Resampling = PLAIN,
) -> Tensor:
    """Decode a picture.

    Args:
        path: the file.
        image_size: the side of the result.
        crop: the share of the shorter side that a crop to the centre keeps.
        random_crop: the numbers of another crop, a row of
            :func:`landscape.data.augmentation.inception_crop.draw_crops`.
        resampling: how the picture is resized before the crop to the centre.

    Returns:
        Bytes of shape (3, image_size, image_size).

    Raises:
        InputError: for a picture that can't be read.
    """
    try:
        with open_picture(path) as picture:
            if random_crop is None:
                rgb = frame(_to_rgb(picture), image_size, crop, resampling)
            else:
                width, height = picture.size
                (box,) = boxes_of(random_crop.unsqueeze(0), height, width).tolist()
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


def _inside(picture: Image.Image, image_size: int, box: Sequence[int]) -> Image.Image:
    """Crop to a box: left, top, width and height in pixels, and whether to mirror."""
    left, top, width, height, is_mirrored = box
    full = picture.size
    # A JPEG decoder can skip detail that the smaller picture does not have.
    reduced = min(width, height) / image_size
    if reduced >= 2:
        picture.draft("RGB", (int(full[0] / reduced), int(full[1] / reduced)))
    x_scale, y_scale = (now / then for now, then in zip(picture.size, full, strict=True))
    x, y = left * x_scale, top * y_scale
    right, bottom = x + width * x_scale, y + height * y_scale
    # The filter would reach beyond the box, so that the picture is cut to it first.
    # By rounding it may end behind the picture, where pixels would be black.
    right, bottom = min(right, picture.width), min(bottom, picture.height)
    cut = (math.floor(x), math.floor(y), math.ceil(right), math.ceil(bottom))
    edges = (x - cut[0], y - cut[1], right - cut[0], bottom - cut[1])
    rgb = _to_rgb(picture.crop(cut))
    rgb = rgb.resize((image_size, image_size), Image.Resampling.BILINEAR, box=edges)
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
            with open_picture(path) as picture:
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
    random_crop: Tensor | None,
    *,
    image_size: int,
    crop: float,
    resampling: Resampling,
) -> Tensor:
    return decode(path, image_size, crop, random_crop, resampling)


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
    random_crops: Tensor | None = None,
    resampling: Resampling = PLAIN,
) -> Tensor:
    """Decode pictures in threads, with a progress bar if there are many.

    Args:
        paths: the n files.
        image_size: the side of the result.
        crop: the share of the shorter side that a crop to the centre keeps.
        random_crops: the numbers of other crops, a row a file, as for :func:`decode`.
        resampling: as for :func:`decode`.

    Returns:
        Bytes of shape (n, 3, image_size, image_size).

    Raises:
        InputError: for a picture that can't be read.
    """
    pixels = torch.empty(len(paths), 3, image_size, image_size, dtype=torch.uint8)
    crops = [None] * len(paths) if random_crops is None else random_crops
    with ThreadPoolExecutor(THREADS) as pool:
        read = partial(_decode_at, image_size=image_size, crop=crop, resampling=resampling)
        decoded: Iterable[Tensor] = pool.map(read, paths, crops)
        if len(paths) > MANY:
            decoded = track(decoded, "reading pictures", total=len(paths))
        for k, picture in enumerate(decoded):
            pixels[k] = picture
    return pixels


def shorter_side(path: Path) -> int:
    """The shorter side of a picture in pixels; raises InputError if it can't be read."""
    try:
        with open_picture(path) as picture:
            return min(picture.size)
    except Exception as error:
        raise InputError(f"unreadable picture {path}: {error}; repair or remove it") from error
