"""What the algorithms need of a symmetric matrix, and random vectors for it."""

from typing import Protocol

import torch
from torch import Tensor

from landscape.eigen.sums import unit


class SymmetricOperator(Protocol):
    """What the algorithms of this folder need of a matrix: its size and its products."""

    size: int
    dtype: torch.dtype
    device: torch.device

    def matmat(self, vectors: Tensor) -> Tensor:
        """The product with ``vectors`` of shape (size, K)."""

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same by the plainest way there is, for certificates."""


def random_vector(operator: SymmetricOperator, generator: torch.Generator) -> Tensor:
    """A Gaussian vector of unit norm, drawn on the CPU so that a seed means one vector."""
    draw = torch.randn(operator.size, generator=generator).to(operator.device, operator.dtype)
    return unit(draw)


def rademacher_vectors(
    operator: SymmetricOperator, count: int, generator: torch.Generator
) -> Tensor:
    """Independent vectors of random signs, of shape (size, count)."""
    bits = torch.randint(0, 2, (count, operator.size), generator=generator, dtype=torch.int8)
    return (2 * bits - 1).T.to(operator.device, operator.dtype)
