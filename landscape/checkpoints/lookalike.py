"""Which network the names and shapes of weights look like.

The families of this toolkit are ViT, MLP-Mixer and ResNet; their names are those of timm (and, for
ResNet, of torchvision). What shapes don't show, such as the number of attention heads, is not here.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Shapes = Mapping[str, torch.Size]


@dataclass(frozen=True)
class Lookalike:
    """A family and the sizes that the shapes of weights show, under our names of arguments."""

    family: str
    sizes: dict[str, Any]


def recognise(shapes: Shapes) -> Lookalike | None:
    """The family and sizes of weights with these names and shapes; None if it is none of ours."""
    for family, (anchor, measure) in _FAMILIES.items():
        for name in shapes:
            if name == anchor or name.endswith(f".{anchor}"):
                prefix = name[: len(name) - len(anchor)]
                inner = {n[len(prefix) :]: s for n, s in shapes.items() if n.startswith(prefix)}
                try:
                    return Lookalike(family, measure(inner))
                except (KeyError, IndexError, ValueError):
                    continue  # the name is there, the rest of the family is not
    return None


def describe_names(shapes: Shapes) -> str:
    """Whose names these are, where they are not ours; empty if that is unknown."""
    for pattern, words in _FOREIGN_NAMES.items():
        if any(re.search(pattern, name) for name in shapes):
            return words
    return ""


def describe_state(shapes: Shapes, lacking: Sequence[str]) -> str:
    """What was done to weights that have these names, so that they don't fit; empty if nothing.

    Args:
        shapes: The names and shapes in the file.
        lacking: The network's names that the file lacks.
    """
    for pattern, words in _STATES.items():
        named = [name for name in shapes if re.search(pattern, name)]
        if named:
            return f"{words} ({named[0]})"
    statistics = ("running_mean", "running_var")
    if lacking and all(name.endswith(statistics) for name in lacking):
        return (
            "It has all parameters and no running statistics, as named_parameters() gives them; "
            "save model.state_dict()"
        )
    return ""


def _vit(shapes: Shapes) -> dict[str, Any]:
    dim, channels, patch, _ = shapes["patch_embed.proj.weight"]
    tokens = shapes["pos_embed"][1] - int("cls_token" in shapes) - int("dist_token" in shapes)
    return {
        "image_size": patch * _side(tokens),
        "patch_size": patch,
        "dim": dim,
        "depth": _count(shapes, r"blocks\.(\d+)\."),
        "mlp_dim": shapes["blocks.0.mlp.fc1.weight"][0],
        **_classes(shapes, "head.weight"),
        "channels": channels,
    }


def _mixer(shapes: Shapes) -> dict[str, Any]:
    dim, channels, patch, _ = shapes["stem.proj.weight"]
    token_dim, tokens = shapes["blocks.0.mlp_tokens.fc1.weight"]
    return {
        "image_size": patch * _side(tokens),
        "patch_size": patch,
        "dim": dim,
        "depth": _count(shapes, r"blocks\.(\d+)\."),
        "token_dim": token_dim,
        "channel_dim": shapes["blocks.0.mlp_channels.fc1.weight"][0],
        **_classes(shapes, "head.weight"),
        "channels": channels,
    }


def _resnet(shapes: Shapes) -> dict[str, Any]:
    width, channels, kernel, _ = shapes["conv1.weight"]
    stages = _count(shapes, r"layer(\d+)\.", first=1)
    return {
        "layers": [_count(shapes, rf"layer{stage + 1}\.(\d+)\.") for stage in range(stages)],
        "block": "bottleneck" if "layer1.0.conv3.weight" in shapes else "basic",
        "width": width,
        "stem": "imagenet" if kernel == 7 else "small",
        **_classes(shapes, "fc.weight"),
        "channels": channels,
    }


_FAMILIES: dict[str, tuple[str, Callable[[Shapes], dict[str, Any]]]] = {
    "vit": ("patch_embed.proj.weight", _vit),
    "mixer": ("stem.proj.weight", _mixer),
    "resnet": ("layer1.0.conv1.weight", _resnet),
}

_HUGGING_FACE = (
    "Its names are those of Hugging Face's transformers: give the folder as --model hf:DIR"
)
_FOREIGN_NAMES = {
    r"lora_[AB]\b": "It holds adapters (LoRA) and not the weights themselves: merge them first "
    "(merge_and_unload of peft), or give the folder as --model hf:DIR",
    r"encoder\.layers\.encoder_layer_\d": "Its names are those of torchvision's VisionTransformer: "
    "--model torchvision:vit_b_16 and its like, or FILE.py:FUNCTION for other sizes",
    r"encoder\.layer\.\d+\.(attention|intermediate)\.": _HUGGING_FACE,
    r"layers\.\d+\.self_attn\.q_proj": _HUGGING_FACE,
    r"h\.\d+\.attn\.c_attn": _HUGGING_FACE,
    r"blocks\.\d+\.attn\.relative_position_bias_table": "Its names are those of a Swin "
    "transformer: --model timm:swin_... of its size",
    r"stages\.\d+\.blocks\.\d+\.(conv_dw|gamma)": "Its names are those of timm's ConvNeXt: --model "
    "timm:convnext_... of its size",
    r"features\.\d+\.\d+\.block\.\d": "Its names are those of torchvision: --model "
    "torchvision:NAME of its size",
}
_STATES = {
    r"_packed_params|\.(SCB|absmax|quant_map|qweight|qzeros|weight_scale|zero_point)(\.|$)": (
        "It is quantised: give the floating-point weights that it was made from"
    ),
    r"_flat_param$": "It holds FSDP's flattened weights: save them with FULL_STATE_DICT",
    r"_orig$": "It is pruned: call torch.nn.utils.prune.remove before it is saved, or prune the "
    "network in the same way",
    r"parametrizations\.|\.weight_[gv]$": "A layer of it is reparametrised, by weight_norm or "
    "such: do the same to the network, or remove it before it is saved",
}


def _side(tokens: int) -> int:
    side = math.isqrt(tokens)
    if side * side != tokens:
        raise ValueError("no square of patches")
    return side


def _count(shapes: Shapes, pattern: str, first: int = 0) -> int:
    """The number of consecutive numbers in names that match ``pattern`` at their start."""
    numbers = {int(match[1]) for name in shapes if (match := re.match(pattern, name))}
    return next(n for n in range(len(numbers) + 1) if n + first not in numbers)


def _classes(shapes: Shapes, name: str) -> dict[str, int]:
    return {"num_classes": shapes[name][0]} if name in shapes else {}
