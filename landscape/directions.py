"""Directions in weight space, and their normalisation.

A Gaussian direction says nothing about scale: a network with larger weights looks flatter along
it. Li et al. (NeurIPS 2018, section 4) scale each filter of the direction to the norm of the
network's own filter. A filter is what feeds one output unit: a slice along dimension 0, that is a
row of a dense kernel or an output channel of a convolution. Tensors of one dimension (biases,
norm gains) have no filters; by default they are not moved.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import InputError
from landscape.parameters import ParameterLayout

NORMALIZATIONS = ("filter", "layer", "weight", "dfilter", "dlayer", "none")
ONE_DIMENSIONAL = ("zero", "layer")


@dataclass(frozen=True)
class Direction:
    """A vector of shape (P,) in the objective's parameter space."""

    vector: Tensor
    layout: ParameterLayout

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """As the original tool stores it: ``name``/0, ``name``/1, ..., one array a tensor."""
        tensors = self.layout.views(self.vector.cpu())
        return {f"{name}/{number}": tensor.numpy() for number, tensor in enumerate(tensors)}

    @classmethod
    def read(cls, group: h5py.Group, layout: ParameterLayout, path: Path) -> "Direction":
        """Raises InputError if the stored tensors are not shaped like the model's parameters."""
        tensors = [torch.from_numpy(np.asarray(group[str(k)])) for k in range(len(group))]
        try:
            return cls(layout.flatten(tensors), layout)
        except InputError as error:
            raise InputError(
                f"{path} ({group.name}) does not fit the model: {error}; "
                "the directions have to come from the same architecture"
            ) from error


def random_direction(
    layout: ParameterLayout,
    theta: Tensor,
    generator: torch.Generator,
    *,
    normalize: str = "filter",
    one_dimensional: str = "zero",
) -> Direction:
    """A Gaussian direction from ``generator`` (on the CPU), scaled to ``theta`` of shape (P,).

    ``normalize``: ``filter`` and ``layer`` give each filter or tensor the norm of the network's
    own; ``weight`` multiplies each entry by the network's entry; ``dfilter`` and ``dlayer`` give
    unit norm; ``none`` leaves the draw. ``one_dimensional``: ``zero`` leaves tensors of one
    dimension where they are, ``layer`` treats each as one filter.
    """
    if normalize not in NORMALIZATIONS:
        raise InputError(
            f"unknown normalization {normalize!r}; expected one of {', '.join(NORMALIZATIONS)}"
        )
    if one_dimensional not in ONE_DIMENSIONAL:
        raise InputError(f"one_dimensional has to be zero or layer, got {one_dimensional!r}")
    # Drawn in one precision, so that a seed means the same direction in every other.
    draw = torch.randn(layout.size, generator=generator, dtype=torch.float32)
    vector = draw.to(theta)
    for d, w in zip(layout.views(vector), layout.views(theta), strict=True):
        if d.dim() <= 1 and one_dimensional == "zero":
            d.zero_()
        else:
            _normalize(d, w, normalize)
    return Direction(vector, layout)


def read_directions(path: Path, layout: ParameterLayout) -> list[Direction]:
    """The x direction, and the y direction if there is one, of a direction or surface file."""
    try:
        with h5py.File(path, "r") as file:
            names = [name for name in ("xdirection", "ydirection") if name in file]
            if "xdirection" not in names:
                raise InputError(f"{path} has no xdirection; is it a direction file?")
            return [Direction.read(file[name], layout, path) for name in names]
    except FileNotFoundError as error:
        raise InputError(f"no such direction file: {path}") from error
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not an HDF5 file of directions, or damaged ({error})"
        ) from error


def cosine(a: Tensor, b: Tensor) -> float:
    """The cosine of the angle between two directions; nan if one is zero."""
    a, b = a.double(), b.double()
    norms = torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b)
    return (a @ b / norms).item()


def _normalize(d: Tensor, w: Tensor, how: str) -> None:
    """Scale ``d`` in place to its counterpart ``w`` of the same shape."""
    if how == "weight":
        d.mul_(w)
        return
    by_filter = how in ("filter", "dfilter") and d.dim() > 1
    rows, weights = (t.view(len(t), -1) if by_filter else t.view(1, -1) for t in (d, w))
    own = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    if how in ("filter", "layer"):
        target = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
        rows.mul_(torch.where(own > 0, target / own, 0.0))
    elif how in ("dfilter", "dlayer"):
        rows.mul_(torch.where(own > 0, 1 / own, 0.0))
