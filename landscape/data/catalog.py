"""Data sets by name, as ``--data`` takes them."""

import math
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from landscape.data.samples import (
    Normalization,
    Samples,
    count_classes,
    resized,
)
from landscape.data.settings import NAMES, DataSettings, canonical_split
from landscape.data.sources.cifar import cifar
from landscape.data.sources.digits import digits
from landscape.data.sources.imagefolder import RESIDENT_BYTES, image_folder
from landscape.data.sources.user_data import BatchForm, read_user_data
from landscape.errors import InputError
from landscape.runtime.cost import need_memory
from landscape.runtime.user_files import is_user_function

FLOAT_BYTES = 4


def load_data(
    settings: DataSettings,
    split: str,
    *,
    resident: bool = True,
    form: BatchForm | None = None,
) -> Samples:
    """Load a split of a data set.

    Args:
        settings: which data.
        split: ``train``, ``test`` or ``val``.
        resident: whether to decode pictures that fit in memory at once, for many epochs; else
            pictures are decoded when they are fetched.
        form: what the batches that a user's function returns may be like.

    Raises:
        InputError: for unknown, missing or damaged data.
    """
    split = canonical_split(split)
    normalization = _normalization(settings)
    if settings.image_size < 0:
        raise InputError(f"--image-size has to be positive, got {settings.image_size}")
    need_memory(
        3 * settings.image_size**2 * FLOAT_BYTES,
        f"a picture with --image-size {settings.image_size}",
        "lower --image-size",
    )
    if not 0 < settings.crop <= 1:
        raise InputError(f"--crop has to be above 0 and at most 1, got {settings.crop}")
    if settings.data == "digits":
        if settings.image_size not in (0, 8):
            raise InputError(f"digits are 8x8 pixels; --image-size {settings.image_size} is not")
        return digits(split, normalization)
    if settings.data in ("cifar10", "cifar100"):
        if not settings.data_dir:
            raise InputError(f"--data {settings.data} needs --data-dir DIR, its archive or folder")
        samples = cifar(Path(settings.data_dir), settings.data, split, normalization)
        return resized(samples, settings.image_size, settings.crop, settings.resampling)
    if settings.data == "imagefolder":
        if not settings.data_dir:
            raise InputError("--data imagefolder needs --data-dir DIR with train/CLASS/PICTURE")
        return image_folder(
            Path(settings.data_dir),
            split,
            settings.image_size or None,
            normalization,
            resident_bytes=RESIDENT_BYTES if resident else 0,
            crop=settings.crop,
            skip_corrupt=settings.skip_corrupt,
            resampling=settings.resampling,
        )
    if is_user_function(settings.data):
        return read_user_data(settings, split, normalization, form or BatchForm())
    close = get_close_matches(settings.data, NAMES, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    named = repr(settings.data) if settings.data else "none was named"
    raise InputError(
        f"unknown data: {named}; {hint}expected --data {', '.join(NAMES)} or FILE.py:FUNCTION"
    )


def data_facts(samples: Samples) -> dict[str, Any]:
    """What the data imply for a model's sizes: image_size, channels, num_classes."""
    facts: dict[str, Any] = {}
    shape = samples.input_shape
    if len(shape) == 3 and shape[1] == shape[2]:
        facts.update(image_size=shape[1], channels=shape[0])
    classes = count_classes(samples)
    if classes is not None:
        facts["num_classes"] = classes
    return facts


def _normalization(settings: DataSettings) -> Normalization | None:
    if bool(settings.mean) != bool(settings.std):
        raise InputError("--mean and --std have to be given together")
    if not all(math.isfinite(value) for value in settings.mean):
        raise InputError(f"--mean has to be finite, got {' '.join(map(str, settings.mean))}")
    if not all(0 < value < math.inf for value in settings.std):
        raise InputError(f"--std has to be positive, got {' '.join(map(str, settings.std))}")
    return Normalization(settings.mean, settings.std) if settings.mean else None
