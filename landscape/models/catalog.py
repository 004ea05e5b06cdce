"""Models by name.

A name is one of :data:`~landscape.models.names.NAMED`, which stands for a family and its sizes; a
family itself, with all sizes given as arguments; ``timm:NAME``, ``torchvision:NAME`` or ``hf:DIR``;
or ``FILE.py:FUNCTION``.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import nn

from landscape.errors import InputError
from landscape.models import pretrained_folder, timm_models, torchvision_models
from landscape.models.huggingface import build_pretrained_architecture
from landscape.models.mixer import MlpMixer
from landscape.models.names import FAMILIES, NAMED
from landscape.models.resnet import ResNet
from landscape.models.sizes import check_sizes, count_blocks, count_weights
from landscape.models.timm_models import build_timm
from landscape.models.torchvision_models import build_torchvision
from landscape.models.vit import VisionTransformer
from landscape.runtime.cost import need_memory
from landscape.runtime.user_files import call_user_function, is_user_function, load_user_function

_CLASSES: dict[str, type[nn.Module]] = dict(
    zip(FAMILIES, (VisionTransformer, MlpMixer, ResNet), strict=True)
)
_LIBRARIES: dict[str, Callable[[str, Mapping[str, Any]], nn.Module]] = {
    "timm": build_timm,
    "torchvision": build_torchvision,
    "hf": lambda name, arguments: build_pretrained_architecture(Path(name), arguments),
}

WEIGHT_BYTES = 4
# What the objects of a block take beside its weights; of ViT about 40 kB.
BLOCK_BYTES = 40_000


@dataclass(frozen=True)
class ModelSpec:
    """A model by name and arguments, which are of JSON types.

    Attributes:
        name: A family, ``timm:NAME``, ``torchvision:NAME``, ``hf:DIR`` or ``FILE.py:FUNCTION``.
        arguments: The keyword arguments of the model.
    """

    name: str
    arguments: dict[str, Any]

    def build(self) -> nn.Module:
        """Make the model, with freshly drawn weights.

        Raises:
            InputError: The name is unknown, or the arguments don't fit it.
        """
        library, _, name = self.name.partition(":")
        if library in _LIBRARIES and not is_user_function(self.name):
            return _LIBRARIES[library](name, self.arguments)
        if is_user_function(self.name):
            model = call_user_function(self.name, self.arguments, strict=True)
            if not isinstance(model, nn.Module):
                raise InputError(
                    f"{self.name} has to return a torch.nn.Module, got {type(model).__name__}"
                )
            return model
        if self.name not in FAMILIES:
            raise InputError(_unknown(self.name))
        return _construct(_CLASSES[self.name], self.name, self.arguments)

    def count_weights(self) -> int | None:
        """The number of weights, by the sizes alone; None for the networks of others.

        Raises:
            InputError: The arguments don't fit the model.
        """
        if self.name not in FAMILIES:
            return None
        _check_arguments(_CLASSES[self.name], self.name, self.arguments)
        return count_weights(self.name, self.arguments)


def resolve_model(
    name: str,
    arguments: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
    *,
    fit_to_data: bool = False,
) -> ModelSpec:
    """Find the family and all arguments of a named model.

    Args:
        name: What follows ``--model``.
        arguments: What follows ``--model-args``; these always win.
        facts: The data's image_size, channels and num_classes. They are used for arguments that
            neither ``arguments`` nor the name determine.
        fit_to_data: Let ``facts`` also win over the sizes that the name stands for, as a model
            that is to be trained needs.

    Raises:
        InputError: The name is unknown.

    Example:
        >>> digits = {"image_size": 8, "channels": 1, "num_classes": 10}
        >>> spec = resolve_model("vit-tiny", {"depth": 2}, digits)
        >>> spec.name
        'vit'
        >>> spec.build()(torch.zeros(3, 1, 8, 8)).shape
        torch.Size([3, 10])
    """
    facts = dict(facts or {})
    if name.startswith(timm_models.PREFIX):
        fitted = {"num_classes": facts.get("num_classes"), "in_chans": facts.get("channels")}
        return ModelSpec(name, {**(fitted if fit_to_data else {}), **arguments})
    if name.startswith(torchvision_models.PREFIX):
        fitted = {"num_classes": facts.get("num_classes")}
        return ModelSpec(name, {**(fitted if fit_to_data else {}), **arguments})
    if name.startswith(pretrained_folder.PREFIX):
        if fit_to_data:
            raise InputError(f"--model {name} is trained by its own tools; it can be measured only")
        return ModelSpec(name, dict(arguments))
    if is_user_function(name):
        accepted = inspect.signature(load_user_function(name)).parameters
        # The function's defaults play the part of the sizes that a name stands for.
        fitted = {
            key: facts[key]
            for key, parameter in accepted.items()
            if key in facts and (fit_to_data or parameter.default is parameter.empty)
        }
        return ModelSpec(name, {**fitted, **arguments})
    if name in NAMED:
        family, sizes = NAMED[name]
    elif name in FAMILIES:
        family, sizes = name, {}
    else:
        raise InputError(_unknown(name))
    merged = {**sizes, **facts, **arguments} if fit_to_data else {**facts, **sizes, **arguments}
    check_sizes(family, merged)
    takes_patches = "patch_size" in inspect.signature(_CLASSES[family]).parameters
    if name in NAMED and takes_patches and "patch_size" not in merged and "image_size" in merged:
        merged["patch_size"] = _small_patch(merged["image_size"])
    return ModelSpec(family, merged)


def _small_patch(side: int) -> int:
    """The patch size of a tiny model for images of ``side`` pixels.

    The largest divisor of ``side`` that is at most a quarter of it (8x8: 2), or an eighth for
    sides above 16 pixels (32x32: 4).
    """
    largest = max(1, side // (4 if side <= 16 else 8))
    return next(size for size in range(largest, 0, -1) if side % size == 0)


def _construct(
    make: Callable[..., nn.Module], family: str, arguments: Mapping[str, Any]
) -> nn.Module:
    """Call ``make`` with ``arguments``; InputError if they don't fit."""
    _check_arguments(make, family, arguments)
    weights, blocks = count_weights(family, arguments), count_blocks(arguments)
    need_memory(
        WEIGHT_BYTES * weights + BLOCK_BYTES * blocks,
        f"--model {family} of {weights:,} weights in {blocks:,} blocks",
        "make its sizes smaller with --model-args",
    )
    try:
        return make(**arguments)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise InputError(
            f"--model {family} can't be built from {dict(arguments)}: {error}"
        ) from error


def _check_arguments(
    make: Callable[..., nn.Module], family: str, arguments: Mapping[str, Any]
) -> None:
    """Raise InputError for arguments that the family does not take, lacks, or that are no sizes."""
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
    check_sizes(family, arguments)


def _unknown(name: str) -> str:
    """The message for a name that is unknown."""
    if not name:
        return "the run does not name its model; say what it is with --model"
    known = [*NAMED, *FAMILIES]
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return (
        f"unknown model {name!r}; {hint}expected one of {', '.join(known)}, "
        "timm:NAME, torchvision:NAME, hf:DIR or FILE.py:FUNCTION"
    )
