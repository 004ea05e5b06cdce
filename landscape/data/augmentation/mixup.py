"""Mixup: convex combinations of pairs of samples (Zhang et al., ICLR 2018)."""

import torch
import torch.nn.functional as F
from scipy.special import betaincinv
from torch import Tensor

from landscape.errors import InputError


def mixup(
    inputs: Tensor,
    targets: Tensor,
    num_classes: int,
    alpha: float,
    share: float,
    generator: torch.Generator,
    shares: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mix some samples with others: lambda times the sample plus 1 - lambda times its partner.

    Lambda is drawn for each sample from Beta(alpha, alpha) and replaced by 1 - lambda where that
    is larger; samples that are not mixed have lambda = 1. The published code of MLP-Mixer and of
    SAM draws one lambda for all samples of a batch, which is here one of the ``shares``.

    Args:
        inputs: floats of shape (n, ...).
        targets: class numbers of shape (n,).
        num_classes: how many classes.
        alpha: of the Beta distribution.
        share: the share of the samples that is mixed.
        generator: of the random numbers.
        shares: lambda for each sample (n,), or for all of them (1,); drawn if not given.

    Returns:
        The mixed inputs, and the mixed targets (n, num_classes), whose rows sum to 1.

    Raises:
        InputError: unless alpha is positive.
    """
    if not alpha > 0:
        raise InputError(f"mixup draws from Beta(alpha, alpha): alpha has to be > 0, got {alpha}")
    count = len(inputs)
    partners = torch.randperm(count, generator=generator).to(inputs.device)
    if shares is None:
        shares = draw_shares(count, alpha, generator)
    shares = shares.expand(count).clone()
    shares[torch.randperm(count, generator=generator) >= round(share * count)] = 1
    one_hot = F.one_hot(targets, num_classes).to(inputs.dtype)
    return _mix(inputs, partners, shares), _mix(one_hot, partners, shares)


def draw_shares(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Draws of max(lambda, 1 - lambda) for lambda from Beta(alpha, alpha), (count,) in float64."""
    # torch's own Beta takes no generator; the inverse distribution function takes uniform numbers.
    uniform = torch.rand(count, generator=generator, dtype=torch.float64)
    drawn = torch.from_numpy(betaincinv(alpha, alpha, uniform.numpy()))
    return torch.maximum(drawn, 1 - drawn)


def _mix(values: Tensor, partners: Tensor, shares: Tensor) -> Tensor:
    weights = shares.to(values).view(-1, *[1] * (values.dim() - 1))
    return weights * values + (1 - weights) * values[partners]
