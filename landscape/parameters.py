"""The flat view of a model's parameters.

Everything that moves through weight space (directions, gradients, eigenvectors) is one vector of
shape (P,). A :class:`ParameterLayout` says which stretch of it is which tensor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from landscape.errors import InputError


@dataclass(frozen=True)
class ParameterLayout:
    """Names and shapes of the tensors that make up theta, in the model's own order."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]

    @classmethod
    def of(cls, model: nn.Module) -> "ParameterLayout":
        """The layout of a model's trainable parameters; tied ones count once.

        Raises InputError if none is trainable.
        """
        named = [(name, p.shape) for name, p in model.named_parameters() if p.requires_grad]
        if not named:
            raise InputError(
                f"{type(model).__name__} has no trainable parameter; "
                "call model.requires_grad_(True) on the part to be measured"
            )
        names, shapes = zip(*named, strict=True)
        return cls(names, shapes)

    @property
    def size(self) -> int:
        """P, the number of scalars in theta."""
        return sum(shape.numel() for shape in self.shapes)

    def views(self, flat: Tensor) -> list[Tensor]:
        """The tensors that make up ``flat`` of shape (P,), as views of it."""
        if flat.shape != (self.size,):
            raise InputError(
                f"expected a vector of {self.size} parameters, got shape {tuple(flat.shape)}"
            )
        pieces = flat.split([shape.numel() for shape in self.shapes])
        return [piece.view(shape) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def flatten(self, tensors: Sequence[Tensor]) -> Tensor:
        """One vector of shape (P,) from tensors in the layout's order and shapes."""
        shapes = tuple(tensor.shape for tensor in tensors)
        if shapes != self.shapes:
            raise InputError(_mismatch(self, shapes))
        return flatten(tensors)


def flatten(tensors: Iterable[Tensor]) -> Tensor:
    """Concatenate tensors of any shape into one vector."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _mismatch(layout: ParameterLayout, shapes: Sequence[torch.Size]) -> str:
    if len(shapes) != len(layout.shapes):
        return f"expected {len(layout.shapes)} tensors, one a parameter, got {len(shapes)}"
    for name, expected, got in zip(layout.names, layout.shapes, shapes, strict=True):
        if expected != got:
            return f"expected shape {tuple(expected)} for {name}, got {tuple(got)}"
    raise AssertionError("the shapes agree")
