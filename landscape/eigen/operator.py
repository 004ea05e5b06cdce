"""What the algorithms need of a symmetric matrix, and random vectors for it."""

from typing import Protocol

import torch
from torch import Tensor

from landscape.eigen.sums import unit
from landscape.errors import NotMeasurableError


class SymmetricOperator(Protocol):
    """A symmetric matrix as the algorithms of this package see it: its size and its products.

    Attributes:
        size: the number of rows, and of columns.
        dtype: the precision of the products.
        device: where vectors live.
    """

    size: int
    dtype: torch.dtype
    device: torch.device

    def matmat(self, vectors: Tensor) -> Tensor:
        """The product with ``vectors`` of shape (size, K)."""

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same product, computed in the plainest way, for certificates.

        It may be of a higher precision, which its type tells.
        """


def check_finite(products: Tensor) -> None:
    """Raise NotMeasurableError if a number of a matrix's products is not finite."""
    if not bool(products.isfinite().all()):
        raise NotMeasurableError(
            "a Hessian product is not finite; there is no Hessian at these weights"
        )


def random_vector(operator: SymmetricOperator, generator: torch.Generator) -> Tensor:
    """A Gaussian vector of unit norm; drawn on the CPU, so a seed gives the same on any device."""
    draw = torch.randn(operator.size, generator=generator).to(operator.device, operator.dtype)
    return unit(draw)


def rademacher_vectors(
    operator: SymmetricOperator, count: int, generator: torch.Generator
) -> Tensor:
    """Independent vectors of random signs, of shape (size, count)."""
    bits = torch.randint(0, 2, (count, operator.size), generator=generator, dtype=torch.int8)
    return (2 * bits - 1).T.to(operator.device, operator.dtype)
