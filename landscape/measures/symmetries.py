"""Rescalings of weights that leave a network's function as it is.

One tensor is multiplied by a factor and another divided by it: queries and keys, values and
projections of attention (da Silva et al., ICML 2025), two layers with a ReLU between them (Dinh et
al., ICML 2017), the gain of a norm and the layer that reads it. Sharpness that changes under these
says nothing of the function. A rescaling is found by the structure of the modules and only used
once the outputs have been compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from landscape.objective.objective import Objective
from landscape.parameters.layout import ParameterLayout
from landscape.runtime.devices import full_precision

# Entries of a tensor by its name: all of them, or the thirds of a packed one.
Place = tuple[str, slice]

_ALL = slice(None)
_HOMOGENEOUS = (nn.ReLU, nn.LeakyReLU, nn.Identity)
_SKIPPED = (nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d)
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)
_NORMS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
_QUERIES_AND_KEYS = (("q", "k"), ("query", "key"), ("q_proj", "k_proj"), ("to_q", "to_k"))
# How far outputs may move, in units of rounding.
ROUNDINGS = 1e4


@dataclass(frozen=True)
class Symmetry:
    """What is multiplied and what is divided by a factor; ``kind`` says in words what it is."""

    kind: str
    multiplied: tuple[Place, ...]
    divided: tuple[Place, ...]

    def apply(self, layout: ParameterLayout, theta: Tensor, factor: float) -> None:
        """Rescale ``theta`` of shape (P,) in place."""
        views = dict(zip(layout.names, layout.views(theta), strict=True))
        for places, power in ((self.multiplied, factor), (self.divided, 1 / factor)):
            for name, rows in places:
                views[name][rows] *= power


def find_symmetries(objective: Objective, factor: float = 2.0) -> list[Symmetry]:
    """Those that leave the outputs for the objective's first batch as they are, to rounding."""
    layout, theta = objective.layout, objective.theta
    known = set(layout.names)
    before = _outputs(objective, theta)
    found = []
    for symmetry in _candidates(objective.module):
        places = (*symmetry.multiplied, *symmetry.divided)
        if not all(name in known for name, _ in places):
            continue  # frozen
        moved = theta.clone()
        symmetry.apply(layout, moved, factor)
        if _agree(before, _outputs(objective, moved)):
            found.append(symmetry)
    return found


def rescaled(objective: Objective, symmetries: list[Symmetry], factor: float) -> Tensor:
    """Theta after all of these rescalings, of shape (P,)."""
    theta = objective.theta.clone()
    for symmetry in symmetries:
        symmetry.apply(objective.layout, theta, factor)
    return theta


def _outputs(objective: Objective, theta: Tensor) -> Any:
    try:
        objective.live_weights.copy_(theta)
        with torch.no_grad(), full_precision():
            return objective.forward(objective.batches[0])
    finally:
        objective.restore()


def _agree(one: Any, other: Any) -> bool:
    if not isinstance(one, Tensor) or not torch.isfinite(other).all():
        return False
    allowed = ROUNDINGS * torch.finfo(one.dtype).eps * one.abs().max()
    return bool((one - other).abs().max() <= allowed)


def _candidates(module: nn.Module) -> Iterator[Symmetry]:
    for path, part in module.named_modules():
        children = dict(part.named_children())
        yield from _attention(path, children, part)
        yield from _perceptron(path, children)
        yield from _norms(path, children)
        if isinstance(part, nn.Sequential):
            yield from _sequence(path, list(children.items()))


def _attention(path: str, children: dict[str, nn.Module], part: nn.Module) -> Iterator[Symmetry]:
    out = next((name for name in ("proj", "out_proj", "to_out") if name in children), None)
    packed = children.get("qkv")
    if isinstance(packed, nn.Linear) and packed.out_features % 3 == 0:
        third = packed.out_features // 3
        queries, keys, values = (slice(k * third, (k + 1) * third) for k in range(3))
        own = _join(path, "qkv")
        yield Symmetry("queries and keys", _whole(own, packed, queries), _whole(own, packed, keys))
        if out is not None and isinstance(children[out], nn.Linear):
            weight = ((f"{_join(path, out)}.weight", _ALL),)
            yield Symmetry("values and projections", _whole(own, packed, values), weight)
    if isinstance(part, nn.MultiheadAttention) and part.in_proj_weight is not None:
        size = part.embed_dim
        names = ["in_proj_weight"] + ["in_proj_bias"] * (part.in_proj_bias is not None)
        thirds = [
            tuple((_join(path, name), slice(k * size, (k + 1) * size)) for name in names)
            for k in range(2)
        ]
        yield Symmetry("queries and keys", thirds[0], thirds[1])
    for one, other in _QUERIES_AND_KEYS:
        if isinstance(children.get(one), nn.Linear) and isinstance(children.get(other), nn.Linear):
            yield Symmetry(
                "queries and keys",
                _whole(_join(path, one), children[one]),
                _whole(_join(path, other), children[other]),
            )


def _perceptron(path: str, children: dict[str, nn.Module]) -> Iterator[Symmetry]:
    """fc1, a ReLU, fc2."""
    names = ("fc1", "act", "fc2")
    if all(name in children for name in names) and isinstance(children["act"], _HOMOGENEOUS):
        weight = ((f"{_join(path, 'fc2')}.weight", _ALL),)
        yield Symmetry("layers around a ReLU", _whole(_join(path, "fc1"), children["fc1"]), weight)


def _norms(path: str, children: dict[str, nn.Module]) -> Iterator[Symmetry]:
    """Norms of the usual names and the layers that read what they put out."""
    readers = {
        "norm1": ("attn.qkv", "mlp_tokens.fc1"),
        "norm2": ("mlp.fc1", "mlp_channels.fc1"),
        "bn1": ("conv2",),
        "bn2": ("conv3",),
        "norm": ("head",),
    }
    for name, candidates in readers.items():
        norm = children.get(name)
        if not isinstance(norm, _NORMS) or norm.weight is None:
            continue
        for reader in candidates:
            first, _, rest = reader.partition(".")
            layer = children.get(first)
            if layer is not None and rest:
                layer = dict(layer.named_children()).get(rest)
            if isinstance(layer, _LAYERS):
                weight = ((f"{_join(path, reader)}.weight", _ALL),)
                yield Symmetry("norms and their readers", _whole(_join(path, name), norm), weight)


def _sequence(path: str, children: list[tuple[str, nn.Module]]) -> Iterator[Symmetry]:
    """A layer or norm, a ReLU, a layer, one after the other."""
    shown = [(name, part) for name, part in children if not isinstance(part, _SKIPPED)]
    for (first, one), (_, between), (last, other) in zip(shown, shown[1:], shown[2:], strict=False):
        is_layer = isinstance(one, (*_LAYERS, *_NORMS)) and isinstance(other, _LAYERS)
        if is_layer and isinstance(between, _HOMOGENEOUS):
            weight = ((f"{_join(path, last)}.weight", _ALL),)
            yield Symmetry("layers around a ReLU", _whole(_join(path, first), one), weight)


def _whole(path: str, layer: Any, rows: slice = _ALL) -> tuple[Place, ...]:
    """Weight and bias."""
    names = ["weight"] + ["bias"] * (getattr(layer, "bias", None) is not None)
    return tuple((f"{path}.{name}", rows) for name in names)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
