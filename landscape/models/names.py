"""The names that can follow ``--model``, and the sizes that they stand for.

This module imports no torch, so that ``--help`` can list the names at once.
"""

from typing import Any

FAMILIES = ("vit", "mixer", "resnet")

_IMAGENET = {"image_size": 224, "num_classes": 1000}
_VIT_S = {"dim": 384, "depth": 12, "heads": 6, "mlp_dim": 1536, **_IMAGENET}
_VIT_B = {"dim": 768, "depth": 12, "heads": 12, "mlp_dim": 3072, **_IMAGENET}
_MIXER_S = {"dim": 512, "depth": 8, "token_dim": 256, "channel_dim": 2048, **_IMAGENET}
_MIXER_B = {"dim": 768, "depth": 12, "token_dim": 384, "channel_dim": 3072, **_IMAGENET}

# A family and its sizes by name. The sizes are those of Table 1 of Dosovitskiy et al. (2021),
# Table 1 of Tolstikhin et al. (2021) and Table 1 of He et al. (2016). The tiny ones are ours, for
# images of 8x8 to 32x32 pixels; their patch size follows from the image.
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
    # All channels are doubled (Kolesnikov et al., 2020), not only the inner ones.
    "resnet50x2": ("resnet", {"layers": (3, 4, 6, 3), "width": 128, **_IMAGENET}),
    "resnet101x2": ("resnet", {"layers": (3, 4, 23, 3), "width": 128, **_IMAGENET}),
    "resnet152x2": ("resnet", {"layers": (3, 8, 36, 3), "width": 128, **_IMAGENET}),
}


def native_image_size(name: str | None) -> int:
    """The side of the pictures that a named model is made for; 0 if its name does not say."""
    sizes = NAMED.get(name or "", ("", {}))[1]
    return int(sizes.get("image_size", 0))
