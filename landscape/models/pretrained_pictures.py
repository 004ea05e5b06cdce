"""The pictures that a model of Hugging Face is made for, from its preprocessor_config.json."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from landscape.errors import InputError
from landscape.models.huggingface import quiet_and_offline
from landscape.models.picture_format import PictureFormat
from landscape.models.pretrained_folder import read_json

PROCESSOR_CONFIG = "preprocessor_config.json"

# Pillow's numbers of its filters.
FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")


def find_processor(folders: Sequence[Path]) -> Path | None:
    """The first folder with a preprocessor_config.json, if there is one.

    A Trainer keeps it in the folder of its checkpoints.

    Args:
        folders: That of a model and, of an adapter, that of its base model.
    """
    places = [
        place
        for folder in folders
        for place in (folder, folder.absolute().parent)
        if place == folder or folder.name.startswith("checkpoint-")
    ]
    return next((place for place in places if (place / PROCESSOR_CONFIG).is_file()), None)


def processor_name(folder: Path) -> str:
    """The class of the processor in ``folder``, as its file says."""
    content = read_json(folder / PROCESSOR_CONFIG)
    name = content.get("image_processor_type") or content.get("feature_extractor_type")
    return str(name or "of no named class")


def load_processor(folder: Path) -> Any:
    """The image processor in ``folder``; InputError if it can't be loaded."""
    content = read_json(folder / PROCESSOR_CONFIG)
    if "auto_map" in content:
        raise InputError(f"{folder / PROCESSOR_CONFIG} needs code of its own, which is not run")
    with quiet_and_offline() as transformers:
        try:
            return transformers.AutoImageProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # transformers raises errors of many types
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(f"{folder / PROCESSOR_CONFIG} can't be used: {line}") from error


def processor_pictures(settings: Mapping[str, Any], source: str) -> PictureFormat | None:
    """What an image processor does, in the terms of the flags.

    Args:
        settings: The processor's ``to_dict()``.
        source: Its name in messages.

    Returns:
        The format; None where the processor does what no flag says.
    """
    size = settings.get("size") or {}
    crop_size = settings.get("crop_size") or {}
    shortest = size.get("shortest_edge")
    if not settings.get("do_resize", True):
        return None
    if shortest and settings.get("crop_pct"):  # ConvNeXt: large pictures are not cropped
        is_cropped = shortest < 384
        side = int(shortest / settings["crop_pct"]) if is_cropped else shortest
        resize, image_size = ("shorter" if is_cropped else "both"), shortest
    else:
        side = shortest or _square(size)
        resize = "shorter" if shortest else "both"
        image_size = _square(crop_size) if settings.get("do_center_crop") else side
        if shortest and not settings.get("do_center_crop"):
            return None  # pictures of many shapes
    if not side or not image_size or image_size > side:
        return None
    resample = settings.get("resample", 2)
    if not isinstance(resample, int) or not 0 <= resample < len(FILTERS):
        return None
    # The processor's output is (255 f p - mean) / std for a pixel p in [0, 1] and its factor f.
    factor = 255 * (settings["rescale_factor"] if settings.get("do_rescale", True) else 1.0)
    is_normalised = settings.get("do_normalize", False)
    mean = settings["image_mean"] if is_normalised else (0.0,)
    std = settings["image_std"] if is_normalised else (1.0,)
    offset = 1.0 if settings.get("rescale_offset") else 0.0
    return PictureFormat(
        image_size=int(image_size),
        crop=image_size / side,
        interpolation=FILTERS[resample],
        resize=resize,
        mean=tuple((value + offset) / factor for value in mean),
        std=tuple(value / factor for value in std),
        source=source,
        crop_offset="floored",
    )


def _square(size: Mapping[str, Any]) -> int:
    """The side of a square size; 0 if it is none."""
    height, width = size.get("height"), size.get("width")
    return int(height) if height and height == width else 0
