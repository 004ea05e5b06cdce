"""The pictures of a checkpoint's model as defaults of the data settings.

A model of timm, torchvision or Hugging Face is made for pictures of one size, resized and
normalised in one way. Flags override any of it.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from landscape.checkpoints.trained_models import brings_model
from landscape.data.samples import Normalization
from landscape.data.settings import DataSettings
from landscape.data.sources.decoding import frame
from landscape.errors import InputError
from landscape.models import timm_models, torchvision_models
from landscape.models.names import native_image_size
from landscape.models.picture_format import PictureFormat
from landscape.models.pretrained_folder import (
    CONFIG,
    PREFIX,
    is_pretrained_folder,
    read_json,
)
from landscape.models.pretrained_pictures import (
    PROCESSOR_CONFIG,
    find_processor,
    load_processor,
    processor_pictures,
)

LOGGER = logging.getLogger(__name__)

PICTURES_IN_FILES = "imagefolder"
PICTURES = (PICTURES_IN_FILES, "cifar10", "cifar100")

# How far a processor's pixels may be from ours, on average and in steps of 1/255: it may resize
# tensors where we resize pictures, which rounds otherwise.
TOLERANCE = 1.0


def with_model_defaults(
    data: DataSettings,
    given: Collection[str],
    path: Path,
    model: str | None,
    model_args: Mapping[str, Any],
) -> DataSettings:
    """Data settings in which what was not given is as the model needs it.

    Args:
        data: The settings.
        given: The names of those that were given, which are kept.
        path: The checkpoint.
        model: What follows ``--model``.
        model_args: What follows ``--model-args``.

    Returns:
        The settings. CIFAR has a size and colours of its own, which only the processor that a
        Hugging Face folder keeps replaces.

    Raises:
        InputError: The folder's processor does what no flag says, and not all flags are given.
    """
    if data.data not in PICTURES:
        return data
    folder = _folder(path, model)
    if folder is not None:
        wanted = _of_folder(folder, data, given)
    elif data.data == PICTURES_IN_FILES:
        wanted = _of_name(model or "", model_args)
    else:
        wanted = None
    if wanted is None:
        size = native_image_size(model) if data.data == PICTURES_IN_FILES else 0
        return data if data.image_size or not size else replace(data, image_size=size)
    kept = set(given) | ({"mean", "std"} if {"mean", "std"} & set(given) else set())
    merged = replace(data, **{k: v for k, v in wanted.options().items() if k not in kept})
    LOGGER.info(f"pictures as {wanted.source} takes them: {describe(merged)}")
    return merged


def describe(data: DataSettings) -> str:
    """How pictures become inputs, in one line, in the words of the flags."""
    mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (data.mean, data.std))
    return (
        f"--image-size {data.image_size} --crop {data.crop:.4g} --resize {data.resize} "
        f"--interpolation {data.interpolation} --mean {mean} --std {std}"
    )


def _folder(path: Path, model: str | None) -> Path | None:
    """The folder of Hugging Face that says what the model is."""
    if path.is_dir() and brings_model(path, model):
        return path
    named = Path((model or "").removeprefix(PREFIX))
    return named if (model or "").startswith(PREFIX) and is_pretrained_folder(named) else None


def _of_name(model: str, model_args: Mapping[str, Any]) -> PictureFormat | None:
    library, _, name = model.partition(":")
    known = {
        timm_models.PREFIX: timm_models.timm_pictures,
        torchvision_models.PREFIX: torchvision_models.torchvision_pictures,
    }.get(f"{library}:")
    return known(name, model_args) if known else None


def _of_folder(folder: Path, data: DataSettings, given: Collection[str]) -> PictureFormat | None:
    """What the processor in a folder does, which is proved on a picture."""
    place = find_processor(folder)
    if place is None:
        return _of_config(folder, data)
    if {"image_size", "mean", "std"} <= set(given):
        return None
    processor = load_processor(place)
    wanted = processor_pictures(processor.to_dict(), str(place / PROCESSOR_CONFIG))
    if wanted is None or not _is_what_it_does(wanted, processor):
        raise InputError(
            f"{place / PROCESSOR_CONFIG} ({type(processor).__name__}) does what no flag says; pass "
            "--image-size, --mean and --std, or the processed data as --data FILE.py:FUNCTION"
        )
    return wanted


def _of_config(folder: Path, data: DataSettings) -> PictureFormat | None:
    """The size that a config.json says, for a folder without a processor."""
    config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    size = config.get("image_size")
    LOGGER.info(
        f"{folder} has no {PROCESSOR_CONFIG}: pixels are normalised by "
        f"{'--mean and --std' if data.mean else 'a mean and a deviation of 0.5'}"
    )
    if not isinstance(size, int) or data.data != PICTURES_IN_FILES:
        return None
    grey = (0.5,)
    return PictureFormat(size, 1.0, "bicubic", "shorter", grey, grey, str(folder / CONFIG))


def _is_what_it_does(wanted: PictureFormat, processor: Any) -> bool:
    """Whether a format and a processor make the same of a picture, which is twice as wide."""
    side = wanted.image_size
    coarse = np.random.default_rng(0).integers(0, 256, (12, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((2 * side, side), Image.Resampling.BICUBIC)
    options = DataSettings(**wanted.options())
    ours = frame(picture, side, wanted.crop, options.resampling)
    pixels = torch.from_numpy(np.array(ours)).permute(2, 0, 1)[None]
    expected = processor(images=picture, return_tensors="pt")["pixel_values"]
    if expected.shape != pixels.shape:
        return False
    difference = Normalization(wanted.mean, wanted.std)(pixels) - expected
    steps = difference.abs().mean((0, 2, 3)) * torch.tensor(wanted.std) * 255
    return bool(steps.max() <= TOLERANCE)
