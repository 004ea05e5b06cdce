"""Model names: what can follow ``--model``.

A name is a row of sizes over one of three families, a family's own name with every size given,
``timm:NAME``, or ``FILE.py:FUNCTION``.
"""

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from typing import Any

from torch import nn

from landscape.errors import InputError
from landscape.models.mixer import MlpMixer
from landscape.models.resnet import ResNet
from landscape.models.vit import VisionTransformer
from landscape.runtime.optional_imports import with_torchvision
from landscape.runtime.user_files import call_user_function, is_user_function, load_user_function

FAMILIES: dict[str, type[nn.Module]] = {
    "vit": VisionTransformer,
    "mixer": MlpMixer,
    "resnet": ResNet,
}

_IMAGENET = {"image_size": 224, "num_classes": 1000}
_VIT_S = {"dim": 384, "depth": 12, "heads": 6, "mlp_dim": 1536, **_IMAGENET}
_VIT_B = {"dim": 768, "depth": 12, "heads": 12, "mlp_dim": 3072, **_IMAGENET}
_MIXER_S = {"dim": 512, "depth": 8, "token_dim": 256, "channel_dim": 2048, **_IMAGENET}
_MIXER_B = {"dim": 768, "depth": 12, "token_dim": 384, "channel_dim": 3072, **_IMAGENET}

# The sizes are Table 1 of Dosovitskiy et al. (2021), Table 1 of Tolstikhin et al. (2021) and
# Table 1 of He et al. (2016); the tiny ones are ours, for images of 8x8 to 32x32, and take their
# patch size from the image.
NAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "vit-tiny": ("vit", {"dim": 48, "depth": 4, "heads": 4, "mlp_dim": 96}),
    "mixer-tiny": (
        "mixer",
        {"dim": 48, "depth": 4, "token_dim": 24, "channel_dim": 192},
    ),
    "resnet-tiny": (
        "resnet",
        {"layers": (1, 1, 1), "block": "basic", "width": 16, "stem": "small"},
    ),
    "vit-s16": ("vit", {"patch_size": 16, **_VIT_S}),
    "vit-s32": ("vit", {"patch_size": 32, **_VIT_S}),
    "vit-s14": ("vit", {"patch_size": 14, **_VIT_S}),
    "vit-s8": ("vit", {"patch_size": 8, **_VIT_S}),
    "vit-b16": ("vit", {"patch_size": 16, **_VIT_B}),
    "vit-b32": ("vit", {"patch_size": 32, **_VIT_B}),
    "mixer-s16": ("mixer", {"patch_size": 16, **_MIXER_S}),
    "mixer-s32": ("mixer", {"patch_size": 32, **_MIXER_S}),
    "mixer-s8": ("mixer", {"patch_size": 8, **_MIXER_S}),
    "mixer-b8": ("mixer", {"patch_size": 8, **_MIXER_B}),
    "mixer-b16": ("mixer", {"patch_size": 16, **_MIXER_B}),
    "mixer-b32": ("mixer", {"patch_size": 32, **_MIXER_B}),
    "resnet50": ("resnet", {"layers": (3, 4, 6, 3), **_IMAGENET}),
    "resnet101": ("resnet", {"layers": (3, 4, 23, 3), **_IMAGENET}),
    "resnet152": ("resnet", {"layers": (3, 8, 36, 3), **_IMAGENET}),
    # Every channel doubled (Kolesnikov et al., 2020), not the inner ones alone.
    "resnet50x2": ("resnet", {"layers": (3, 4, 6, 3), "width": 128, **_IMAGENET}),
    "resnet101x2": ("resnet", {"layers": (3, 4, 23, 3), "width": 128, **_IMAGENET}),
    "resnet152x2": ("resnet", {"layers": (3, 8, 36, 3), "width": 128, **_IMAGENET}),
}


@dataclass(frozen=True)
class ModelSpec:
    """A model by name and arguments; :meth:`build` makes it, and JSON can hold it."""

    name: str
    arguments: dict[str, Any]

    def build(self) -> nn.Module:
        """The model, with fresh weights. Raises InputError if name or arguments don't fit."""
        if self.name.startswith("timm:"):
            return _build_timm(self.name.removeprefix("timm:"), self.arguments)
        if is_user_function(self.name):
            model = call_user_function(self.name, self.arguments, strict=True)
            if not isinstance(model, nn.Module):
                raise InputError(
                    f"{self.name} has to return a torch.nn.Module, got {type(model).__name__}"
                )
            return model
        if self.name not in FAMILIES:
            raise InputError(_unknown(self.name))
        return _construct(FAMILIES[self.name], self.name, self.arguments)


def resolve_model(
    name: str,
    arguments: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
    *,
    fit_to_data: bool = False,
) -> ModelSpec:
    """The spec behind a name and its ``--model-args``.

    ``facts`` is what the data say: image_size, channels, num_classes. They fill what neither the
    arguments nor the name's row settle; with ``fit_to_data``, for a model that is to be trained,
    they win over the row. Raises InputError for a name that isn't known.
    """
    facts = dict(facts or {})
    if name.startswith("timm:"):
        fitted = {"num_classes": facts.get("num_classes"), "in_chans": facts.get("channels")}
        return ModelSpec(name, {**(fitted if fit_to_data else {}), **arguments})
    if is_user_function(name):
        accepted = inspect.signature(load_user_function(name)).parameters
        # A function's own defaults count as its row.
        fitted = {
            key: facts[key]
            for key, parameter in accepted.items()
            if key in facts and (fit_to_data or parameter.default is parameter.empty)
        }
        return ModelSpec(name, {**fitted, **arguments})
    if name in NAMED:
        family, row = NAMED[name]
    elif name in FAMILIES:
        family, row = name, {}
    else:
        raise InputError(_unknown(name))
    merged = {**row, **facts, **arguments} if fit_to_data else {**facts, **row, **arguments}
    takes_patches = "patch_size" in inspect.signature(FAMILIES[family]).parameters
    if name in NAMED and takes_patches and "patch_size" not in merged and "image_size" in merged:
        merged["patch_size"] = _small_patch(merged["image_size"])
    return ModelSpec(family, merged)


def native_image_size(name: str | None) -> int:
    """The side of the pictures that a named model is made for; 0 where the name does not say."""
    row = NAMED.get(name or "", ("", {}))[1]
    return int(row.get("image_size", 0))


def _small_patch(side: int) -> int:
    """About a quarter of the side up to 16 pixels (8x8: 2), an eighth beyond (32x32: 4).

    The largest divisor of the side up to that.
    """
    largest = max(1, side // (4 if side <= 16 else 8))
    return max(size for size in range(1, largest + 1) if side % size == 0)


def _construct(
    make: Callable[..., nn.Module], family: str, arguments: Mapping[str, Any]
) -> nn.Module:
    accepted = inspect.signature(make).parameters
    unknown = sorted(set(arguments) - set(accepted))
    if unknown:
        raise InputError(
            f"--model {family} takes no argument {', '.join(unknown)}; "
            f"it takes {', '.join(accepted)}"
        )
    missing = [k for k, p in accepted.items() if p.default is p.empty and k not in arguments]
    if missing:
        needed = " ".join(f"{key}=..." for key in missing)
        raise InputError(f"--model {family} also needs --model-args {needed}")
    try:
        return make(**arguments)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise InputError(
            f"--model {family} can't be built from {dict(arguments)}: {error}"
        ) from error


def _build_timm(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timm = with_torchvision(partial(import_module, "timm"))
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that doesn't fit
        raise InputError(
            f"--model timm:{name} needs timm, which can't be imported ({error}); "
            "install it with: pip install 'loss-landscape-toolkit[timm]'"
        ) from error
    try:
        model: nn.Module = timm.create_model(name, **arguments)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"timm can't create {name!r}: {error}") from error
    return model


def _unknown(name: str) -> str:
    known = [*NAMED, *FAMILIES]
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return (
        f"unknown model {name!r}; {hint}expected one of {', '.join(known)}, "
        "timm:NAME or FILE.py:FUNCTION"
    )
