"""Corrections of the sharp gradient g_s, at w + e, by the gradient g at w."""

from collections.abc import Sequence

import torch
from torch import Tensor

from landscape.training.sam.ascent import norm_of, same_dtype

# A component of a vector below this many units of rounding has no meaningful direction.
ROUNDING = 100


@torch.no_grad()
def close_surrogate_gap(
    sharp: Sequence[Tensor], plain: Sequence[Tensor], alpha: float
) -> list[Tensor]:
    """GSAM (Zhuang et al., ICLR 2022, Algorithm 1): g_s - alpha g_v.

    g_v is the component of g orthogonal to g_s. To first order, its subtraction closes the
    surrogate gap h = L(w + e) - L(w) and leaves L(w + e) unchanged.

    Args:
        sharp: g_s.
        plain: g.
        alpha: The weight of the correction.
    """
    orthogonal = _orthogonal_component(plain, sharp)
    return list(torch._foreach_sub(list(sharp), orthogonal, alpha=alpha))


class LookSam:
    """LookSAM (Liu et al., CVPR 2022, Algorithm 1): reuses a sharp gradient for several steps.

    It keeps g_v, the component of g_s orthogonal to g, which changes slowly. The steps until the
    next sharp gradient go along g + alpha ||g|| / ||g_v|| g_v.

    Attributes:
        alpha: The weight of the correction.
        direction: g_v; None before the first sharp gradient.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha
        self.direction: list[Tensor] | None = None

    @torch.no_grad()
    def remember(self, sharp: Sequence[Tensor], plain: Sequence[Tensor]) -> None:
        """Keep g_v; it is 0 if the gradients are parallel but for rounding."""
        direction = _orthogonal_component(sharp, plain)
        length, rounding = norm_of(direction), ROUNDING * torch.finfo(sharp[0].dtype).eps
        keeps = (length > rounding * norm_of(sharp)).to(length)
        self.direction = list(torch._foreach_mul(direction, keeps))

    @torch.no_grad()
    def approximate(self, plain: Sequence[Tensor]) -> list[Tensor]:
        """The gradient of a step without a sharp one; g itself before :meth:`remember`."""
        if self.direction is None:
            return list(plain)
        length = norm_of(self.direction)
        scale = torch.where(length > 0, self.alpha * norm_of(plain) / length, 0.0)
        return list(torch._foreach_add(list(plain), torch._foreach_mul(self.direction, scale)))


def _orthogonal_component(vector: Sequence[Tensor], axis: Sequence[Tensor]) -> list[Tensor]:
    """``vector`` minus its projection on ``axis``; each is one vector over all tensors."""
    products = [_inner(v, a) for v, a in zip(vector, axis, strict=True)]
    inner = torch.stack(same_dtype(products)).sum()
    squared = norm_of(axis).square()
    share = torch.where(squared > 0, inner / squared, 0.0)
    return list(torch._foreach_sub(list(vector), torch._foreach_mul(list(axis), share)))


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of two tensors; complex ones count as pairs of real numbers."""
    return torch.sum((a * b.conj()).real) if a.is_complex() else torch.sum(a * b)
