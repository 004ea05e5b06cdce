"""The pictures of a checkpoint's model as defaults of the data settings.

A model of timm, torchvision or Hugging Face is made for pictures of one size, resized and
normalised in one way. Flags override any of it.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from landscape.checkpoints.trained_models import brings_model
from landscape.data.samples import Normalization, Samples
from landscape.data.settings import DataSettings
from landscape.data.sources.decoding import frame
from landscape.errors import InputError
from landscape.models import timm_models, torchvision_models
from landscape.models.adapters import find_base
from landscape.models.huggingface import class_names
from landscape.models.names import native_image_size
from landscape.models.picture_format import PictureFormat
from landscape.models.pretrained_folder import (
    ADAPTER_CONFIG,
    CONFIG,
    PREFIX,
    is_pretrained_folder,
    read_json,
)
from landscape.models.pretrained_pictures import (
    PROCESSOR_CONFIG,
    find_processor,
    load_processor,
    processor_name,
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
    *,
    trust: bool = False,
) -> DataSettings:
    """Data settings in which what was not given is as the model needs it.

    Args:
        data: The settings.
        given: The names of those that were given, which are kept.
        path: The checkpoint.
        model: What follows ``--model``.
        model_args: What follows ``--model-args``.
        trust: Open the base model that an adapter names, wherever it is.

    Returns:
        The settings. CIFAR has a size and colours of its own, which only the processor that a
        Hugging Face folder keeps replaces.

    Raises:
        InputError: The folder's processor does what no flag says, and not all flags are given.
    """
    if data.data not in PICTURES:
        return data
    folders = _folders(path, model, trust)
    if folders:
        wanted = _of_folders(folders, data, given)
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
    offset = (
        "" if data.crop == 1.0 and data.resize == "both" else f"--crop-offset {data.crop_offset} "
    )
    return (
        f"--image-size {data.image_size} --crop {data.crop:.4g} --resize {data.resize} "
        f"{offset}--interpolation {data.interpolation} --mean {mean} --std {std}"
    )


def check_class_order(model: nn.Module, samples: Samples, path: Path) -> None:
    """Raise InputError if model and data number the same classes differently."""
    names, classes = class_names(model), tuple(samples.classes)
    if names == classes or sorted(names) != sorted(classes):
        return
    place = next(
        k for k, (name, known) in enumerate(zip(names, classes, strict=True)) if name != known
    )
    raise InputError(
        f"{path} has the data's classes in another order: number {place} is {names[place]!r} for "
        f"the model and {classes[place]!r} for the data; rename the folders, so that their order "
        "is the model's"
    )


def _folders(path: Path, model: str | None, trust: bool) -> list[Path]:
    """The folders of Hugging Face that say what the model is: an adapter's, then its base's."""
    named = Path((model or "").removeprefix(PREFIX))
    is_named = (model or "").startswith(PREFIX) and is_pretrained_folder(named)
    folders = [named] if is_named else []
    if path.is_dir() and brings_model(path, model):
        folders = [path, *(folder for folder in folders if folder != path)]
        if (path / ADAPTER_CONFIG).is_file() and len(folders) == 1:
            folders.append(find_base(path, read_json(path / ADAPTER_CONFIG), trust=trust))
    return folders


def _of_name(model: str, model_args: Mapping[str, Any]) -> PictureFormat | None:
    library, _, name = model.partition(":")
    known = {
        timm_models.PREFIX: timm_models.timm_pictures,
        torchvision_models.PREFIX: torchvision_models.torchvision_pictures,
    }.get(f"{library}:")
    return known(name, model_args) if known else None


def _of_folders(
    folders: Sequence[Path], data: DataSettings, given: Collection[str]
) -> PictureFormat | None:
    """What the processor in a folder does, which is proved on a picture."""
    place = find_processor(folders)
    if place is None:
        return _of_config(folders[-1], data)
    wanted = proved_pictures(place)
    if wanted is None and not {"image_size", "mean", "std"} <= set(given):
        raise InputError(
            f"{place / PROCESSOR_CONFIG} ({processor_name(place)}) does what no flag says; pass "
            "--image-size, --mean and --std, or the processed data as --data FILE.py:FUNCTION"
        )
    return wanted


def proved_pictures(folder: Path) -> PictureFormat | None:
    """What the processor in a folder does, if flags can say it: both agree on a picture."""
    try:
        processor = load_processor(folder)
        wanted = processor_pictures(processor.to_dict(), str(folder / PROCESSOR_CONFIG))
        return wanted if wanted and _is_what_it_does(wanted, processor) else None
    except Exception as error:  # a processor for something else raises errors of many types
        LOGGER.debug(f"{folder / PROCESSOR_CONFIG}: {error}")
        return None


def _of_config(folder: Path, data: DataSettings) -> PictureFormat | None:
    """The size that a config.json says, for a folder without a processor."""
    size = read_json(folder / CONFIG).get("image_size")
    if not isinstance(size, int) or data.data != PICTURES_IN_FILES:
        return None
    LOGGER.info(f"{folder} has no {PROCESSOR_CONFIG}; a mean and a deviation of 0.5 are assumed")
    grey = (0.5,)
    return PictureFormat(size, 1.0, "bicubic", "shorter", grey, grey, str(folder / CONFIG))


def _is_what_it_does(wanted: PictureFormat, processor: Any) -> bool:
    """Whether a format and a processor make the same of a picture, which is about twice as wide."""
    side = wanted.image_size
    coarse = np.random.default_rng(0).integers(0, 256, (12, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((2 * side + 1, side), Image.Resampling.BICUBIC)
    options = DataSettings(**wanted.options())
    ours = frame(picture, side, wanted.crop, options.resampling)
    pixels = torch.from_numpy(np.array(ours)).permute(2, 0, 1)[None]
    expected = processor(images=picture, return_tensors="pt")["pixel_values"]
    if expected.shape != pixels.shape:
        return False
    difference = Normalization(wanted.mean, wanted.std)(pixels) - expected
    steps = difference.abs().mean((0, 2, 3)) * torch.tensor(wanted.std) * 255
    return bool(steps.max() <= TOLERANCE)
