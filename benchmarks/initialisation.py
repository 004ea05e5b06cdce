"""Initial weights beside those of the published JAX code, tensor by tensor.

    python -m benchmarks.initialisation [--seed N] [--json FILE]

One row for all tensors that share a rule, such as the same layer of every block. A weight is
measured as its mean square times its fan-in; biases, norms, class token and position embedding,
which sum over no inputs, as their mean square.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from landscape.models.catalog import resolve_model

NAMED = {"vit": "vit-s16", "mixer": "mixer-s16", "resnet": "resnet50"}
SOURCES = {
    "vit": "google-research/vision_transformer, vit_jax/models_vit.py",
    "mixer": "google-research/big_vision, models/mlp_mixer.py",
    "resnet": "google-research/sam, sam_jax/imagenet_models/resnet.py",
}

Shape = tuple[int, ...]


def zeros(_: Shape) -> float:
    """nn.initializers.zeros."""
    return 0.0


def ones(_: Shape) -> float:
    """nn.initializers.ones."""
    return 1.0


def lecun(_: Shape) -> float:
    """nn.initializers.lecun_normal: the variance is 1 / fan-in."""
    return 1.0


def xavier(shape: Shape) -> float:
    """nn.initializers.xavier_uniform: the variance is 2 / (fan-in + fan-out)."""
    fan_out, fan_in = shape
    return 2 * fan_in / (fan_in + fan_out)


def normal(deviation: float) -> Callable[[Shape], float]:
    """nn.initializers.normal, which knows no fan-in."""
    return lambda _: deviation**2


# By the names of the tensors here, written down from the sources above. What Flax draws where the
# source says nothing: lecun_normal for kernels, zeros for biases, ones for scales.
PUBLISHED: dict[str, dict[str, Callable[[Shape], float]]] = {
    "vit": {
        r"patch_embed\.proj\.weight": lecun,
        r"patch_embed\.proj\.bias": zeros,
        r"cls_token": zeros,
        r"pos_embed": normal(0.02),
        r"blocks\.\d+\.norm[12]\.weight": ones,
        r"blocks\.\d+\.norm[12]\.bias": zeros,
        r"blocks\.\d+\.attn\.qkv\.weight, [qkv]": xavier,
        r"blocks\.\d+\.attn\.qkv\.bias, [qkv]": zeros,
        r"blocks\.\d+\.attn\.proj\.weight": xavier,
        r"blocks\.\d+\.attn\.proj\.bias": zeros,
        r"blocks\.\d+\.mlp\.fc1\.weight": xavier,
        r"blocks\.\d+\.mlp\.fc2\.weight": xavier,
        r"blocks\.\d+\.mlp\.fc[12]\.bias": normal(1e-6),
        r"norm\.weight": ones,
        r"norm\.bias": zeros,
        r"head\.(weight|bias)": zeros,
    },
    "mixer": {
        r"stem\.proj\.weight": lecun,
        r"stem\.proj\.bias": zeros,
        r"blocks\.\d+\.norm[12]\.weight": ones,
        r"blocks\.\d+\.norm[12]\.bias": zeros,
        r"blocks\.\d+\.mlp_tokens\.fc[12]\.weight": lecun,
        r"blocks\.\d+\.mlp_channels\.fc[12]\.weight": lecun,
        r"blocks\.\d+\.mlp_(tokens|channels)\.fc[12]\.bias": zeros,
        r"norm\.weight": ones,
        r"norm\.bias": zeros,
        r"head\.(weight|bias)": zeros,
    },
    "resnet": {
        r"conv1\.weight": lecun,
        r"bn1\.weight": ones,
        r"bn1\.bias": zeros,
        r"layer\d\.\d+\.conv\d\.weight": lecun,
        r"layer\d\.\d+\.bn[12]\.weight": ones,
        r"layer\d\.\d+\.bn3\.weight": zeros,
        r"layer\d\.\d+\.bn\d\.bias": zeros,
        r"layer\d\.\d+\.downsample\.0\.weight": lecun,
        r"layer\d\.\d+\.downsample\.1\.weight": ones,
        r"layer\d\.\d+\.downsample\.1\.bias": zeros,
        r"fc\.weight": lecun,
        r"fc\.bias": zeros,
    },
}


@dataclass(frozen=True)
class Row:
    """The tensors of a family that share a rule, and the smallest and largest of their values."""

    family: str
    tensors: str
    count: int
    expected: float
    smallest: float
    largest: float


def main() -> None:
    """Print one row for each rule of each family."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    arguments = parser.parse_args()
    rows = []
    for family, name in NAMED.items():
        torch.manual_seed(arguments.seed)
        options = {"zero_init_residual": True} if family == "resnet" else {}
        initial = list(rows_of(family, resolve_model(name, options).build()))
        rows += initial
        print(f"\n{name}, beside {SOURCES[family]}")
        print(f"{'tensors':44} {'how many':>8} {'measured':>19} {'published':>10}")
        for row in initial:
            span = f"{row.smallest:.4g} to {row.largest:.4g}"
            print(f"{row.tensors:44} {row.count:8} {span:>19} {row.expected:10.4g}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def rows_of(family: str, model: nn.Module) -> Iterator[Row]:
    """Every tensor of a model by the rule that it falls under.

    Raises:
        ValueError: A tensor falls under no rule or several, or a rule has no tensor.
    """
    matrices = dict(matrices_of(model))
    placed: list[str] = []
    for pattern, rule in PUBLISHED[family].items():
        matched = {name: values for name, values in matrices.items() if re.fullmatch(pattern, name)}
        if not matched:
            raise ValueError(f"{family} has no tensor {pattern}")
        placed += matched
        for expected in dict.fromkeys(rule(tuple(values.shape)) for values in matched.values()):
            measured = [
                measure(values)
                for values in matched.values()
                if rule(tuple(values.shape)) == expected
            ]
            shown = pattern.replace("\\.", ".").replace("\\d+", "*").replace("\\d", "*")
            yield Row(family, shown, len(measured), expected, min(measured), max(measured))
    if sorted(placed) != sorted(matrices):
        raise ValueError(f"{set(matrices) ^ set(placed)} of {family} fall under no rule, or two")


def matrices_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters by name, fused queries, keys and values as three."""
    for name, parameter in model.named_parameters():
        values = parameter.detach().double()
        if ".qkv." in name:
            for part, third in zip("qkv", values.chunk(3), strict=True):
                yield f"{name}, {part}", third
        else:
            yield name, values


def measure(values: Tensor) -> float:
    """The mean square, of matrices and convolutions times the fan-in."""
    has_fan_in = values.dim() in (2, 4)  # class token and position embedding have 3 dimensions
    fan_in = values.shape[1:].numel() if has_fan_in else 1
    return values.square().mean().item() * fan_in


if __name__ == "__main__":
    main()
