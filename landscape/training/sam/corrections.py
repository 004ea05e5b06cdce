"""What some methods make of the gradients g at w and g_s at w + e before they step along them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from landscape.training.sam.ascent import norm_of

# A part of a vector that is smaller than so many units of rounding has no direction.
ROUNDING = 100


@torch.no_grad()
def close_surrogate_gap(
    sharp: Sequence[Tensor], plain: Sequence[Tensor], alpha: float
) -> list[Tensor]:
    """GSAM (Zhuang et al., ICLR 2022, Algorithm 1): g_s - alpha g_v.

    g_v is the part of g at right angles to g_s: stepping against it closes the gap
    h = L(w + e) - L(w) and leaves L(w + e) as it is, to first order.
    """
    orthogonal = _orthogonal_part(plain, sharp)
    return list(torch._foreach_sub(list(sharp), orthogonal, alpha=alpha))


class LookSam:
    """LookSAM (Liu et al., CVPR 2022, Algorithm 1): a SAM gradient is reused for some steps.

    Of g_s it keeps g_v, the part at right angles to g, which changes slowly; steps between take
    g + alpha ||g|| / ||g_v|| g_v.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha
        self.direction: list[Tensor] | None = None

    @torch.no_grad()
    def remember(self, sharp: Sequence[Tensor], plain: Sequence[Tensor]) -> None:
        """After a step with both gradients; nothing where they are parallel but for rounding."""
        direction = _orthogonal_part(sharp, plain)
        length, rounding = norm_of(direction), ROUNDING * torch.finfo(sharp[0].dtype).eps
        keeps = (length > rounding * norm_of(sharp)).to(length)
        self.direction = list(torch._foreach_mul(direction, keeps))

    @torch.no_grad()
    def approximate(self, plain: Sequence[Tensor]) -> list[Tensor]:
        """The gradient of a step between; g itself before anything was remembered."""
        if self.direction is None:
            return list(plain)
        length = norm_of(self.direction)
        scale = torch.where(length > 0, self.alpha * norm_of(plain) / length, 0.0)
        return list(torch._foreach_add(list(plain), torch._foreach_mul(self.direction, scale)))


def _orthogonal_part(vector: Sequence[Tensor], axis: Sequence[Tensor]) -> list[Tensor]:
    """``vector`` less its projection on ``axis``, both taken as one vector over all tensors."""
    inner = torch.stack([torch.sum(v * a) for v, a in zip(vector, axis, strict=True)]).sum()
    squared = norm_of(axis).square()
    share = torch.where(squared > 0, inner / squared, 0.0)
    return list(torch._foreach_sub(list(vector), torch._foreach_mul(list(axis), share)))
