"""Models of torchvision by name, and the pictures that each is made for."""

import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from torch import nn

from landscape.errors import InputError
from landscape.models.picture_format import PictureFormat
from landscape.runtime.optional_imports import import_optional

PREFIX = "torchvision:"


def build_torchvision(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Make a model of torchvision with freshly drawn weights.

    Raises:
        InputError: torchvision is missing or does not know it.
    """
    models = _import(name)
    _check_name(models, name)
    try:
        # Without weights=None detection and segmentation would download those of their backbone.
        defaults = {"weights": None}
        if "weights_backbone" in models.get_model_builder(name).__annotations__:
            defaults["weights_backbone"] = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of initial values that will be drawn otherwise
            model: nn.Module = models.get_model(name, **{**defaults, **arguments})
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"torchvision can't create {name!r}: {error}") from error
    return model


def torchvision_pictures(name: str, arguments: Mapping[str, Any]) -> PictureFormat | None:
    """The pictures that a model is made for: the transforms of its default weights.

    Args:
        name: Of the model.
        arguments: Those of the model; ``image_size`` replaces the size of its pictures.

    Returns:
        The format; None for a model that does not classify pictures.
    """
    models = _import(name)
    _check_name(models, name)
    transforms = models.get_model_weights(name).DEFAULT.transforms()
    crop, resize = (getattr(transforms, f"{key}_size", [0])[0] for key in ("crop", "resize"))
    if not crop or not resize:
        return None
    return PictureFormat(
        image_size=int(arguments.get("image_size", crop)),
        crop=crop / resize,
        interpolation=transforms.interpolation.value,
        resize="shorter",
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        source=f"{PREFIX}{name}",
    )


def _check_name(models: ModuleType, name: str) -> None:
    known = models.list_models()
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"torchvision has no model {name!r}{hint}")


def _import(name: str) -> ModuleType:
    return import_optional(
        "torchvision.models",
        needed_by=f"--model {PREFIX}{name}",
        install="pip install 'loss-landscape-toolkit[torchvision]', in the version that goes with "
        "this torch",
    )
