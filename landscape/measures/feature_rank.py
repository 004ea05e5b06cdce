"""The dimension of the space that the features of a layer span, by two measures."""

import math

import torch
from torch import Tensor

# The share of the variance, as in Andriushchenko et al. (NeurIPS 2023) on features of SAM.
SHARE = 0.99


def effective_rank(covariance: Tensor) -> float:
    """The effective rank (Roy and Vetterli, 2007) of a covariance.

    It is exp of the entropy of the eigenvalues' shares of the variance. The original uses the
    singular values of the features; here it is their squares, the variances of the principal
    components.

    Args:
        covariance: symmetric, of shape (p, p).

    Returns:
        The rank, between 1 and p; nan for a covariance of zeros.
    """
    values = torch.linalg.eigvalsh(covariance.double()).clamp(min=0)
    total = values.sum()
    if not total > 0:
        return math.nan
    shares = values[values > 0] / total
    return float(torch.exp(-(shares * shares.log()).sum()))


def components_for(covariance: Tensor, share: float = SHARE) -> float:
    """How many principal components have ``share`` of the variance; nan without variance."""
    values = torch.linalg.eigvalsh(covariance.double()).clamp(min=0).flip(0)
    total = values.sum()
    if not total > 0:
        return math.nan
    # Rounding must not require a further component.
    return int((values.cumsum(0) < share * total * (1 - 1e-12)).sum()) + 1


class Moments:
    """Sums of features and their products by group of samples, from which covariances follow.

    The groups are those of a jackknife, which leaves out one at a time.

    Args:
        groups: how many groups.
    """

    def __init__(self, groups: int) -> None:
        self.counts = [0] * groups
        self.sums: list[Tensor | None] = [None] * groups
        self.products: list[Tensor | None] = [None] * groups

    def add(self, group: int, rows: Tensor) -> None:
        """Add rows of features (n, p) of samples in a group."""
        rows = rows.double()
        self.counts[group] += len(rows)
        first, second = rows.sum(0), rows.T @ rows
        before, products = self.sums[group], self.products[group]
        self.sums[group] = first if before is None else before + first
        self.products[group] = second if products is None else products + second

    def covariance(self, without: int | None = None) -> Tensor:
        """The covariance (p, p) of all rows, or of those that are not in one group."""
        kept = [k for k, count in enumerate(self.counts) if count and k != without]
        count = sum(self.counts[k] for k in kept)
        mean = torch.stack([self._of(self.sums, k) for k in kept]).sum(0) / count
        second = torch.stack([self._of(self.products, k) for k in kept]).sum(0) / count
        return second - torch.outer(mean, mean)

    def jackknife(self) -> list[Tensor]:
        """The covariances without each of the groups; none for a single group."""
        used = [k for k, count in enumerate(self.counts) if count]
        return [self.covariance(k) for k in used] if len(used) > 1 else []

    @staticmethod
    def _of(values: list[Tensor | None], k: int) -> Tensor:
        value = values[k]
        assert value is not None
        return value


def jackknife_error(values: list[float]) -> float:
    """The standard error of an estimate from its values without each group; nan without any."""
    if not values:
        return math.nan
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt((len(values) - 1) / len(values) * spread)
