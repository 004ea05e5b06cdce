"""Rescalings of weights that leave a network's function unchanged.

One tensor is multiplied by a factor and another divided by it: queries and keys, values and
projections of attention (da Silva et al., ICML 2025), two layers with a ReLU between them (Dinh et
al., ICML 2017), the gain of a norm and the layer that reads it. A sharpness that changes under
these is not a property of the function. Candidates come from the structure of the modules, and are
used only if the outputs turn out to be the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from landscape.objective.objective import Objective
from landscape.parameters.layout import ParameterLayout

# A tensor by its name, and which of its rows: all, or a third of a packed tensor.
Place = tuple[str, slice]

_ALL = slice(None)
_HOMOGENEOUS = (nn.ReLU, nn.LeakyReLU, nn.Identity)
_SKIPPED = (nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d)
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)
_NORMS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
_QUERIES_AND_KEYS = (("q", "k"), ("query", "key"), ("q_proj", "k_proj"), ("to_q", "to_k"))
# How far outputs may differ, in units of rounding.
ROUNDINGS = 1e4


@dataclass(frozen=True)
class Symmetry:
    """A rescaling of weights.

    Attributes:
        kind: the tensors in words, such as ``queries and keys``.
        multiplied: what is multiplied by the factor.
        divided: what is divided by the factor.
    """

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
    """The rescalings that do not change the outputs for the objective's first batch.

    Args:
        objective: the model and its samples.
        factor: what is multiplied by it in the comparison, which is exact to rounding.

    Returns:
        The rescalings, in the order of the modules; those of frozen weights are left out.
    """
    layout, theta = objective.layout, objective.theta
    known = set(layout.names)
    before = _outputs(objective, theta)
    symmetries = []
    for symmetry in _candidates(objective.module):
        places = (*symmetry.multiplied, *symmetry.divided)
        if not all(name in known for name, _ in places):
            continue  # some weights are frozen
        moved = theta.clone()
        symmetry.apply(layout, moved, factor)
        if _agree(before, _outputs(objective, moved)):
            symmetries.append(symmetry)
    return symmetries


def rescaled(objective: Objective, symmetries: list[Symmetry], factor: float) -> Tensor:
    """The weights of an objective after some rescalings by ``factor``, of shape (P,)."""
    theta = objective.theta.clone()
    for symmetry in symmetries:
        symmetry.apply(objective.layout, theta, factor)
    return theta


def _outputs(objective: Objective, theta: Tensor) -> Any:
    try:
        objective.live_weights.copy_(theta)
        with objective.evaluating():
            return objective.forward(objective.batches[0])
    finally:
        objective.restore()


def _agree(before: Any, after: Any) -> bool:
    if not isinstance(before, Tensor) or not torch.isfinite(after).all():
        return False
    allowed = ROUNDINGS * torch.finfo(before.dtype).eps * before.abs().max()
    return bool((before - after).abs().max() <= allowed)


def _candidates(module: nn.Module) -> Iterator[Symmetry]:
    for path, submodule in module.named_modules():
        children = dict(submodule.named_children())
        yield from _attention(path, children, submodule)
        yield from _perceptron(path, children)
        yield from _norms(path, children)
        if isinstance(submodule, nn.Sequential):
            yield from _sequence(path, list(children.items()))


def _attention(path: str, children: dict[str, nn.Module], module: nn.Module) -> Iterator[Symmetry]:
    """The parts of an attention, whether they are packed into one tensor or not."""
    out = next((name for name in ("proj", "out_proj", "to_out") if name in children), None)
    packed = children.get("qkv")
    if isinstance(packed, nn.Linear) and packed.out_features % 3 == 0:
        third = packed.out_features // 3
        queries, keys, values = (slice(k * third, (k + 1) * third) for k in range(3))
        name = _join(path, "qkv")
        yield Symmetry(
            "queries and keys", _tensors(name, packed, queries), _tensors(name, packed, keys)
        )
        if out is not None and isinstance(children[out], nn.Linear):
            weight = ((f"{_join(path, out)}.weight", _ALL),)
            yield Symmetry("values and projections", _tensors(name, packed, values), weight)
    if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
        size = module.embed_dim
        names = ["in_proj_weight"] + ["in_proj_bias"] * (module.in_proj_bias is not None)
        thirds = [
            tuple((_join(path, name), slice(k * size, (k + 1) * size)) for name in names)
            for k in range(2)
        ]
        yield Symmetry("queries and keys", thirds[0], thirds[1])
    for query, key in _QUERIES_AND_KEYS:
        if isinstance(children.get(query), nn.Linear) and isinstance(children.get(key), nn.Linear):
            yield Symmetry(
                "queries and keys",
                _tensors(_join(path, query), children[query]),
                _tensors(_join(path, key), children[key]),
            )


def _perceptron(path: str, children: dict[str, nn.Module]) -> Iterator[Symmetry]:
    """Two layers fc1 and fc2 with a ReLU act between them."""
    names = ("fc1", "act", "fc2")
    if all(name in children for name in names) and isinstance(children["act"], _HOMOGENEOUS):
        weight = ((f"{_join(path, 'fc2')}.weight", _ALL),)
        yield Symmetry(
            "layers around a ReLU", _tensors(_join(path, "fc1"), children["fc1"]), weight
        )


def _norms(path: str, children: dict[str, nn.Module]) -> Iterator[Symmetry]:
    """Norms of the usual names and the layers that read their outputs."""
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
                yield Symmetry("norms and their readers", _tensors(_join(path, name), norm), weight)


def _sequence(path: str, children: list[tuple[str, nn.Module]]) -> Iterator[Symmetry]:
    """A layer or norm, a ReLU and a layer, in this order."""
    layers = [(name, child) for name, child in children if not isinstance(child, _SKIPPED)]
    for (name, first), (_, between), (last_name, last) in zip(
        layers, layers[1:], layers[2:], strict=False
    ):
        is_layer = isinstance(first, (*_LAYERS, *_NORMS)) and isinstance(last, _LAYERS)
        if is_layer and isinstance(between, _HOMOGENEOUS):
            weight = ((f"{_join(path, last_name)}.weight", _ALL),)
            yield Symmetry("layers around a ReLU", _tensors(_join(path, name), first), weight)


def _tensors(path: str, layer: Any, rows: slice = _ALL) -> tuple[Place, ...]:
    """The weight of a layer and, if it has one, its bias."""
    names = ["weight"] + ["bias"] * (getattr(layer, "bias", None) is not None)
    return tuple((f"{path}.{name}", rows) for name in names)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
