"""Symmetric linear operators on the flat parameter space."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from landscape.curvature.products import HessianProducts
from landscape.objective import Objective


class SymmetricOperator(Protocol):
    """What the algorithms of this folder need of a matrix: its size and its products."""

    size: int
    dtype: torch.dtype
    device: torch.device

    def matmat(self, vectors: Tensor) -> Tensor:
        """The product with ``vectors`` of shape (size, K)."""

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same by the plainest way there is, for certificates."""


class HessianOperator:
    """The Hessian of an objective at its own weights, or at ``theta``.

    With a ``group`` of tensors of the objective's layout, by number, it is the diagonal block of
    those. Products keep graphs in memory (:class:`HessianProducts`), so drop the operator with the
    last. ``products`` counts the Hessian-vector products spent so far, each over the whole sample.
    """

    def __init__(
        self,
        objective: Objective,
        theta: Tensor | None = None,
        group: Sequence[int] | None = None,
    ) -> None:
        self.objective = objective
        self.theta = theta
        self.group = group
        self.size = objective.layout.group_size(group)
        self.dtype = objective.dtype
        self.device = objective.device
        self.products = 0
        self._multiply = HessianProducts(objective, theta)

    def matmat(self, vectors: Tensor) -> Tensor:
        """H times ``vectors`` of shape (P, K)."""
        self.products += vectors.shape[1]
        return self._multiply(vectors, self.group)

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same by the plain module, nothing kept and nothing replaced."""
        self.products += vectors.shape[1]
        return self.objective.hessian_product(vectors, self.theta, self.group)

    def block(self, group: Sequence[int]) -> "HessianOperator":
        """The diagonal block of a group; it shares the graphs with this operator."""
        block = HessianOperator(self.objective, self.theta, group)
        block._multiply = self._multiply
        return block

    def matvec(self, vector: Tensor) -> Tensor:
        """H times ``vector`` of shape (P,)."""
        return self.matmat(vector.unsqueeze(1)).squeeze(1)

    def to_scipy(self) -> LinearOperator:
        """The same operator for ``scipy.sparse.linalg``."""
        kind = np.float64 if self.dtype == torch.float64 else np.float32

        def multiply(columns: NDArray[Any]) -> NDArray[Any]:
            vectors = torch.from_numpy(np.array(columns, dtype=kind)).to(self.device)
            flat = vectors.reshape(self.size, -1)
            return self.matmat(flat).cpu().numpy().reshape(columns.shape)

        return LinearOperator(
            (self.size, self.size), matvec=multiply, matmat=multiply, rmatvec=multiply, dtype=kind
        )


def random_vector(operator: SymmetricOperator, generator: torch.Generator) -> Tensor:
    """A Gaussian vector of unit norm, drawn on the CPU so that a seed means one vector."""
    draw = torch.randn(operator.size, generator=generator).to(operator.device, operator.dtype)
    return draw / torch.linalg.vector_norm(draw)


def rademacher_vectors(
    operator: SymmetricOperator, count: int, generator: torch.Generator
) -> Tensor:
    """Independent vectors of random signs, of shape (size, count)."""
    bits = torch.randint(0, 2, (count, operator.size), generator=generator, dtype=torch.int8)
    return (2 * bits - 1).T.to(operator.device, operator.dtype)
