"""Models of timm by name, and the pictures that each is made for."""

import re
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from torch import nn

from landscape.errors import InputError
from landscape.models.picture_format import PictureFormat
from landscape.runtime.optional_imports import import_optional

PREFIX = "timm:"
LEAST = (1, 0, 31)  # earlier ones unpickle any object from files of weights


def build_timm(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Make a model of timm; InputError if timm is missing or does not know it."""
    timm = _import(name)
    try:
        model: nn.Module = timm.create_model(name, **arguments)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"timm can't create {name!r}: {error}") from error
    return model


def timm_pictures(name: str, arguments: Mapping[str, Any]) -> PictureFormat | None:
    """The pictures that a model of timm is made for, from its own data configuration.

    Args:
        name: Of the model, with the tag of its weights if it has one.
        arguments: Those of the model; ``img_size`` replaces the size of its configuration.

    Returns:
        The format; None for a model whose pictures are not square or are padded.
    """
    timm = _import(name)
    known = timm.get_pretrained_cfg(name)
    if known is None:
        return None
    size = arguments.get("img_size")
    config = timm.data.resolve_data_config(
        {"img_size": size} if size else {}, pretrained_cfg=known.to_dict()
    )
    _, height, width = config["input_size"]
    if height != width or config["crop_mode"] not in ("center", "squash"):
        return None
    return PictureFormat(
        image_size=height,
        crop=float(config["crop_pct"]),
        interpolation=config["interpolation"],
        resize="both" if config["crop_mode"] == "squash" else "shorter",
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        source=f"{PREFIX}{name}",
    )


def _import(name: str) -> ModuleType:
    install = "pip install 'loss-landscape-toolkit[timm]'"
    import_optional("timm.data", needed_by=f"--model {PREFIX}{name}", install=install)
    timm = import_module("timm")
    numbers = tuple(map(int, re.findall(r"\d+", timm.__version__)[:3]))
    if numbers < LEAST:
        raise InputError(
            f"--model {PREFIX}{name} needs timm {'.'.join(map(str, LEAST))} or later, got "
            f"{timm.__version__}, which runs code that is in weights; update it with: {install}"
        )
    return timm
