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
) -> tuple[Tensor, Tensor]:
    """Mix ``share`` of the samples with partners: lambda times its own, 1 - lambda the partner's.

    ``inputs`` (n, ...) are floats, ``targets`` (n,) class numbers; returns the mixed inputs and
    targets (n, num_classes) whose rows sum to 1. Lambda, drawn for each sample from
    Beta(alpha, alpha), is the larger of the two shares; an unmixed sample's is 1. Raises InputError
    unless alpha is positive.
    """
    if not alpha > 0:
        raise InputError(f"mixup draws from Beta(alpha, alpha): alpha has to be > 0, got {alpha}")
    count = len(inputs)
    partners = torch.randperm(count, generator=generator).to(inputs.device)
    shares = draw_shares(count, alpha, generator)
    shares[torch.randperm(count, generator=generator) >= round(share * count)] = 1
    own = F.one_hot(targets, num_classes).to(inputs.dtype)
    return _mix(inputs, partners, shares), _mix(own, partners, shares)


def draw_shares(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """(count,) of max(lambda, 1 - lambda), lambda from Beta(alpha, alpha), in float64."""
    # torch's own Beta takes no generator; the inverse of the distribution function needs but one
    # uniform number.
    uniform = torch.rand(count, generator=generator, dtype=torch.float64)
    drawn = torch.from_numpy(betaincinv(alpha, alpha, uniform.numpy()))
    return torch.maximum(drawn, 1 - drawn)


def _mix(values: Tensor, partners: Tensor, shares: Tensor) -> Tensor:
    own = shares.to(values).view(-1, *[1] * (values.dim() - 1))
    return own * values + (1 - own) * values[partners]
