"""The sizes of a model of ours: whether they can be right, and how many weights they stand for.

Weights are counted from the sizes, before anything is built: a depth of ten million would be built
for hours before its memory runs out.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from landscape.errors import InputError
from landscape.runtime.options import LARGEST_REAL

# The smallest value of every argument that is a whole number.
_LEAST = {
    "image_size": 1,
    "patch_size": 1,
    "dim": 1,
    "depth": 0,
    "heads": 1,
    "mlp_dim": 1,
    "token_dim": 1,
    "channel_dim": 1,
    "num_classes": 1,
    "channels": 1,
    "width": 1,
}
# Sizes that a family needs not know.
_UNKNOWN_TO = {"resnet": ("image_size",)}
_MOST_PIXELS = 10**6
# Channels double from stage to stage.
_MOST_STAGES = 16


def check_sizes(family: str, arguments: Mapping[str, Any]) -> None:
    """Check the sizes of a model; arguments that are no sizes pass.

    Args:
        family: One of :data:`landscape.models.names.FAMILIES`.
        arguments: Of the model.

    Raises:
        InputError: A size is no whole number or too small, or a rate is no probability.

    Example:
        >>> check_sizes("vit", {"depth": 12, "drop_path": 0.1})
    """
    for name, value in arguments.items():
        wrong = ""
        if name in _LEAST:
            if value is None and name in _UNKNOWN_TO.get(family, ()):
                continue
            if not _is_whole(value, _LEAST[name]):
                wrong = f"a whole number of at least {_LEAST[name]}"
            elif name in ("image_size", "patch_size") and value > _MOST_PIXELS:
                wrong = f"at most {_MOST_PIXELS} pixels"
        elif name in ("dropout", "drop_path"):
            if not (_is_real(value) and 0 <= value < 1):
                wrong = "a number of at least 0 and below 1"
        elif name == "head_bias":
            if not (_is_real(value) and abs(value) <= LARGEST_REAL):
                wrong = "a finite number"
        elif name == "layers":
            counts = value if isinstance(value, Sequence) else [value]
            if not (1 <= len(counts) <= _MOST_STAGES and all(_is_whole(n, 0) for n in counts)):
                wrong = f"the numbers of blocks of 1 to {_MOST_STAGES} stages, such as 3,4,6,3"
        if wrong:
            raise InputError(f"--model-args {name} has to be {wrong}, got {value!r}")


def count_blocks(arguments: Mapping[str, Any]) -> int:
    """How many blocks a model of these sizes is made of."""
    layers = arguments.get("layers", arguments.get("depth", 0))
    return sum(layers) if isinstance(layers, Sequence) else int(layers)


def count_weights(family: str, arguments: Mapping[str, Any]) -> int:
    """How many weights the model of a family has.

    Args:
        family: One of :data:`landscape.models.names.FAMILIES`.
        arguments: Its sizes, which :func:`check_sizes` has passed.

    Example:
        >>> sizes = {"layers": (1,), "block": "basic", "width": 4, "num_classes": 2}
        >>> count_weights("resnet", {**sizes, "stem": "small", "channels": 1})
        358
    """
    return _COUNTS[family]({"channels": 3, **arguments})


def _vit(sizes: Mapping[str, Any]) -> int:
    dim, mlp_dim = sizes["dim"], sizes["mlp_dim"]
    attention = _dense(dim, 3 * dim) + _dense(dim, dim)
    mlp = _dense(dim, mlp_dim) + _dense(mlp_dim, dim)
    position = dim * (_tokens(sizes) + 1)
    blocks = sizes["depth"] * (4 * dim + attention + mlp)
    return _patches(sizes) + dim + position + blocks + _head(sizes)


def _mixer(sizes: Mapping[str, Any]) -> int:
    dim, tokens = sizes["dim"], _tokens(sizes)
    mixing = [
        _dense(inputs, hidden) + _dense(hidden, inputs)
        for inputs, hidden in ((tokens, sizes["token_dim"]), (dim, sizes["channel_dim"]))
    ]
    return _patches(sizes) + sizes["depth"] * (4 * dim + sum(mixing)) + _head(sizes)


def _resnet(sizes: Mapping[str, Any]) -> int:
    layers, width = sizes["layers"], sizes.get("width", 64)
    is_basic = sizes.get("block", "bottleneck") == "basic"
    side = 7 if sizes.get("stem", "imagenet") == "imagenet" else 3
    count, incoming = side**2 * sizes["channels"] * width + 2 * width, width
    for stage, blocks in enumerate(layers if isinstance(layers, Sequence) else [layers]):
        inner = width * 2**stage
        out = inner if is_basic else 4 * inner

        def block(channels: int, inner: int = inner, out: int = out) -> int:
            if is_basic:
                return 9 * channels * inner + 9 * inner**2 + 4 * inner
            return channels * inner + 9 * inner**2 + inner * out + 4 * inner + 2 * out

        if blocks:
            has_shortcut = stage > 0 or incoming != out
            count += block(incoming) + has_shortcut * (incoming * out + 2 * out)
            count += (blocks - 1) * block(out)
            incoming = out
    return count + _dense(incoming, sizes["num_classes"])


_COUNTS: dict[str, Callable[[Mapping[str, Any]], int]] = {
    "vit": _vit,
    "mixer": _mixer,
    "resnet": _resnet,
}


def _tokens(sizes: Mapping[str, Any]) -> int:
    return int(sizes["image_size"] // sizes["patch_size"]) ** 2


def _patches(sizes: Mapping[str, Any]) -> int:
    return _dense(sizes["channels"] * sizes["patch_size"] ** 2, sizes["dim"])


def _head(sizes: Mapping[str, Any]) -> int:
    """The last norm and the classifier."""
    return 2 * sizes["dim"] + _dense(sizes["dim"], sizes["num_classes"])


def _dense(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
