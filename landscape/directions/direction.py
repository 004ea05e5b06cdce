"""Directions in weight space, and their normalisation.

A Gaussian direction knows nothing of scale: a network with larger weights looks flatter along it.
Li et al. (NeurIPS 2018, section 4) scale each filter of the direction to the norm of the network's
own filter. A filter is what feeds an output unit: a slice along dimension 0, that is a row of a
dense kernel or an output channel of a convolution. Tensors of one dimension (biases, norm gains)
have no filters; by default they are not moved.
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
    """A direction in the objective's parameter space.

    Attributes:
        vector: of shape (P,).
        layout: where each tensor lies in the vector.
        statistics: how far the floating-point buffers (BatchNorm's running statistics) move along,
            as one vector; None if they stay.
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
    """A Gaussian direction, scaled to the weights of a network.

    Args:
        layout: of the network's parameters.
        theta: its weights, of shape (P,).
        generator: the source of the draw, on the CPU.
        normalize: ``filter`` and ``layer`` give each filter or tensor the norm of the network's
            own; ``weight`` multiplies each entry by the network's entry; ``dfilter`` and
            ``dlayer`` give unit norm; ``none`` leaves the draw.
        policy: which tensors move and what a filter of each is; by default ``li2018`` of
            :data:`landscape.parameters.policies.PRESETS`.

    Raises:
        InputError: the normalization is unknown.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> direction = random_direction(objective.layout, objective.theta, generator)
        >>> direction.vector.shape == objective.theta.shape
        True
    """
    if normalize not in NORMALIZATIONS:
        raise InputError(
            f"unknown normalization {normalize!r}; expected one of {', '.join(NORMALIZATIONS)}"
        )
    treatments = (policy or Policy.named()).of(layout)
    # Drawn in float32 for any precision, so that a seed always means the same direction.
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


def orthogonalised(direction: Direction, axis: Direction) -> Direction:
    """``direction`` made orthogonal to ``axis``, with the norm it had.

    The norms of its filters are then no longer exactly those of the network.

    Raises:
        InputError: the directions are parallel.
    """
    x, y = axis.vector.double(), direction.vector.double()
    norm = torch.linalg.vector_norm(y)
    orthogonal = y - x * (x @ y) / (x @ x)
    length = torch.linalg.vector_norm(orthogonal)
    if not length > 1e-6 * norm:
        raise InputError("x and y direction are parallel; they span no plane")
    return replace(direction, vector=(orthogonal * (norm / length)).to(direction.vector))


def cosine(a: Tensor, b: Tensor) -> float:
    """The cosine of the angle between two directions; nan if one is zero."""
    a, b = a.double(), b.double()
    norms = torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b)
    return (a @ b / norms).item()


def _normalize(d: Tensor, w: Tensor, how: str, treatment: str) -> None:
    """Scale a tensor ``d`` of the direction in place to the network's tensor ``w``."""
    if how == "weight":
        d.mul_(w)
        return
    if how in ("layer", "dlayer"):
        treatment = "whole"
    rows, weights = filters(d, treatment), filters(w, treatment)
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    if how in ("filter", "layer"):
        target = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
        rows.mul_(torch.where(norms > 0, target / norms, 0.0))
    elif how in ("dfilter", "dlayer"):
        rows.mul_(torch.where(norms > 0, 1 / norms, 0.0))
