"""The flat view of a model's parameters.

Everything in weight space (weights, directions, gradients, eigenvectors) is a vector of shape (P,).
A :class:`ParameterLayout` says which stretch of it is which tensor.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from landscape.errors import InputError

_BY_NAME = (
    (
        re.compile(r"(cls|class|dist|distillation|reg|register|mask)_?(tokens?|emb\w*)$"),
        "class-token",
    ),
    (re.compile(r"(^|_)(relative_)?pos(ition(al)?)?_?(emb|enc|bias)|(^|_)positions?$"), "position"),
    (re.compile(r"layer_?scale|lambda_?\d|^ls\d?$|^gamma(_?\d)?$"), "layer-scale"),
)


@dataclass(frozen=True)
class ParameterLayout:
    """The tensors that make up theta, in the model's own order.

    Attributes:
        names: their names, as in ``model.named_parameters()``.
        shapes: their shapes.
        kinds: the purpose of each, one of :data:`landscape.parameters.kinds.KINDS`.

    Example:
        The norm of the gradient of each tensor::

            layout = ParameterLayout.of(model)
            for name, piece in zip(layout.names, layout.views(objective.gradient())):
                print(name, piece.norm().item())
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    kinds: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: nn.Module) -> "ParameterLayout":
        """The layout of a model's trainable parameters, in which tied ones occur once.

        Raises:
            InputError: if no parameter is trainable.
        """
        modules = dict(model.named_modules())
        named = [
            (name, p.shape, _kind(modules, name, p))
            for name, p in model.named_parameters()
            if p.requires_grad
        ]
        if not named:
            raise InputError(
                f"{type(model).__name__} has no trainable parameter; "
                "call requires_grad_(True) on the modules to be measured"
            )
        return cls(*zip(*named, strict=True))

    @property
    def size(self) -> int:
        """P, the number of scalars in theta."""
        return sum(shape.numel() for shape in self.shapes)

    @property
    def stretches(self) -> tuple[tuple[int, int], ...]:
        """The start and stop of each tensor in theta."""
        ends = list(accumulate((shape.numel() for shape in self.shapes), initial=0))
        return tuple(pairwise(ends))

    def views(self, flat: Tensor) -> list[Tensor]:
        """The tensors that make up a vector of shape (P,), as views of it.

        Raises:
            InputError: if ``flat`` has another shape.
        """
        if flat.shape != (self.size,):
            raise InputError(
                f"expected a vector of {self.size} parameters, got shape {tuple(flat.shape)}"
            )
        pieces = flat.split([shape.numel() for shape in self.shapes])
        return [piece.view(shape) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def flatten(self, tensors: Sequence[Tensor]) -> Tensor:
        """The vector of shape (P,) of some tensors.

        Args:
            tensors: in the layout's order.

        Raises:
            InputError: if their shapes are not those of the layout.
        """
        shapes = tuple(tensor.shape for tensor in tensors)
        if shapes != self.shapes:
            raise InputError(_mismatch(self, shapes))
        return flatten(tensors)


def flatten(tensors: Iterable[Tensor]) -> Tensor:
    """Concatenate tensors of any shape into one vector."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _kind(modules: Mapping[str, nn.Module], name: str, parameter: Tensor) -> str:
    """The kind of a parameter, by its own name, its module and its shape."""
    path, _, tensor_name = name.rpartition(".")
    owner = modules[path]
    of_owner = type(owner).__name__.lower()
    if "norm" in of_owner or of_owner == "affine":
        return "norm"
    # A position embedding may be an nn.Embedding, whose tensor is called weight.
    described = path.rpartition(".")[2] if tensor_name in ("weight", "gamma") else tensor_name
    if "layerscale" in of_owner:
        return "layer-scale"
    for pattern, kind in _BY_NAME:
        if pattern.search(described.lower()):
            return kind
    if isinstance(owner, nn.Embedding | nn.EmbeddingBag):
        return "embedding"
    if "bias" in tensor_name:
        return "bias"
    return "kernel" if parameter.dim() > 1 else "other"


def _mismatch(layout: ParameterLayout, shapes: Sequence[torch.Size]) -> str:
    if len(shapes) != len(layout.shapes):
        return f"expected {len(layout.shapes)} tensors, one for each parameter, got {len(shapes)}"
    for name, expected, got in zip(layout.names, layout.shapes, shapes, strict=True):
        if expected != got:
            return f"expected shape {tuple(expected)} for {name}, got {tuple(got)}"
    raise AssertionError("the shapes agree")
