"""Directions in weight space, and their normalisation.

A Gaussian direction says nothing about scale: a network with larger weights looks flatter along
it. Li et al. (NeurIPS 2018, section 4) scale each filter of the direction to the norm of the
network's own filter. A filter is what feeds one output unit: a slice along dimension 0, that is a
row of a dense kernel or an output channel of a convolution. Tensors of one dimension (biases,
norm gains) have no filters; by default they are not moved.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from landscape.errors import InputError
from landscape.parameters.layout import ParameterLayout
from landscape.parameters.policies import Policy, filters
from landscape.runtime.choices import NORMALIZATIONS


@dataclass(frozen=True)
class Direction:
    """A vector of shape (P,) in the objective's parameter space.

    ``statistics`` is how far the floating buffers (BatchNorm's running statistics) move along,
    in one vector; None if they stay where they are.
    """

    vector: Tensor
    layout: ParameterLayout
    statistics: Tensor | None = None


def random_direction(
    layout: ParameterLayout,
    theta: Tensor,
    generator: torch.Generator,
    *,
    normalize: str = "filter",
    policy: Policy | None = None,
) -> Direction:
    """A Gaussian direction from ``generator`` (on the CPU), scaled to ``theta`` of shape (P,).

    ``normalize``: ``filter`` and ``layer`` give each filter or tensor the norm of the network's
    own; ``weight`` multiplies each entry by the network's entry; ``dfilter`` and ``dlayer`` give
    unit norm; ``none`` leaves the draw. ``policy`` says which tensors move and what a filter of
    each is; the default is :data:`landscape.parameters.policies.PRESETS`' li2018.
    """
    if normalize not in NORMALIZATIONS:
        raise InputError(
            f"unknown normalization {normalize!r}; expected one of {', '.join(NORMALIZATIONS)}"
        )
    treatments = (policy or Policy.named()).of(layout)
    # Drawn in one precision, so that a seed means the same direction in every other.
    draw = torch.randn(layout.size, generator=generator, dtype=torch.float32)
    vector = draw.to(theta)
    pieces = zip(layout.views(vector), layout.views(theta), treatments, strict=True)
    for d, w, treatment in pieces:
        if treatment == "zero":
            d.zero_()
        elif treatment == "copy":
            d.copy_(w)
        else:
            _normalize(d, w, normalize, treatment)
    return Direction(vector, layout)


def orthogonalised(direction: Direction, other: Direction) -> Direction:
    """``direction`` without its part along ``other``, at the norm it had.

    Raises InputError if they are parallel. Filter by filter its norms are then no longer exactly
    those of the network.
    """
    x, y = other.vector.double(), direction.vector.double()
    norm = torch.linalg.vector_norm(y)
    rest = y - x * (x @ y) / (x @ x)
    left = torch.linalg.vector_norm(rest)
    if not left > 1e-6 * norm:
        raise InputError("x and y direction are parallel; they span no plane")
    return replace(direction, vector=(rest * (norm / left)).to(direction.vector))


def cosine(a: Tensor, b: Tensor) -> float:
    """The cosine of the angle between two directions; nan if one is zero."""
    a, b = a.double(), b.double()
    norms = torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b)
    return (a @ b / norms).item()


def _normalize(d: Tensor, w: Tensor, how: str, treatment: str) -> None:
    """Scale ``d`` in place to its counterpart ``w`` of the same shape."""
    if how == "weight":
        d.mul_(w)
        return
    if how in ("layer", "dlayer"):
        treatment = "whole"
    rows, weights = filters(d, treatment), filters(w, treatment)
    own = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    if how in ("filter", "layer"):
        target = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
        rows.mul_(torch.where(own > 0, target / own, 0.0))
    elif how in ("dfilter", "dlayer"):
        rows.mul_(torch.where(own > 0, 1 / own, 0.0))
