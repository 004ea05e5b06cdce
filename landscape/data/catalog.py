"""Data sets by name, as ``--data`` takes them."""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landscape.data.batches import resident_batches
from landscape.data.samples import (
    Normalization,
    Samples,
    TensorSamples,
    count_classes,
    resized,
)
from landscape.data.settings import NAMES, DataSettings, canonical_split
from landscape.data.sources.cifar import cifar
from landscape.data.sources.digits import digits
from landscape.data.sources.imagefolder import RESIDENT_BYTES, image_folder
from landscape.errors import InputError
from landscape.runtime.user_files import call_user_function, is_user_function


def load_data(settings: DataSettings, split: str, *, resident: bool = True) -> Samples:
    """Load a split of a data set.

    Args:
        settings: which data.
        split: ``train``, ``test`` or ``val``.
        resident: whether to decode pictures that fit in memory at once, for many epochs; else
            pictures are decoded when they are fetched.

    Raises:
        InputError: for unknown, missing or damaged data.
    """
    split = canonical_split(split)
    normalization = _normalization(settings)
    if settings.image_size < 0:
        raise InputError(f"--image-size has to be positive, got {settings.image_size}")
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
        return _user_data(settings, split, normalization)
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


def _user_data(settings: DataSettings, split: str, normalization: Normalization | None) -> Samples:
    """The data that FILE.py:FUNCTION returns, read once into tensors.

    The function may have any of the parameters split, data_dir and image_size. It returns a pair of
    tensors, a Dataset, an iterable of batches, or a dict of these by split.
    """
    arguments = {
        "split": split,
        "data_dir": settings.data_dir or None,
        "image_size": settings.image_size or None,
    }
    data = call_user_function(settings.data, arguments, strict=False)
    if isinstance(data, Mapping):
        names = [name for name in (split, "val") if name in data]
        if not names or (split == "train" and "train" not in data):
            raise InputError(f"{settings.data} has no split {split!r}, only {', '.join(data)}")
        data = data[names[0]]
    try:
        batches = resident_batches(data, 256, torch.device("cpu"), None)
    except Exception as error:  # the user's own code runs while their data is read
        raise InputError(
            f"the data that {settings.data} returned can't be read: {error}"
        ) from error
    for batch in batches:
        if not isinstance(batch.inputs, Tensor) or not isinstance(batch.targets, Tensor):
            raise InputError(
                f"{settings.data}: the command line takes inputs that are one tensor; "
                "use Objective from Python for other structures"
            )
    inputs = torch.cat([batch.inputs for batch in batches])
    targets = torch.cat([batch.targets for batch in batches])
    if not targets.is_floating_point():
        targets = targets.long()
    return TensorSamples(inputs, targets, (), normalization)
