"""Symmetric linear operators on the flat parameter space."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from landscape.curvature.products import LocalProducts, ProductRequest, Products
from landscape.eigen.operator import SymmetricOperator
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group


class Counter:
    """How many products have been spent: with the whole matrix, and with blocks of it."""

    def __init__(self) -> None:
        self.whole = 0
        self.blocks = 0

    def add(self, columns: int, group: Group | None) -> None:
        """Count the products with so many columns."""
        if group is None:
            self.whole += columns
        else:
            self.blocks += columns


class CurvatureOperator:
    """A curvature matrix of an objective at its own weights, or at ``theta``.

    ``matrix`` is ``hessian``, ``ggn`` or ``fisher`` (:mod:`landscape.curvature.matrices`). With a
    ``group`` it is the diagonal block of that part of theta. Products keep graphs in memory, so
    drop the operator with the last. ``counter`` counts them, each over the whole sample. With
    ``shift`` it is the matrix of the loss with an L2 term shift/2 ||theta||^2 added.
    """

    def __init__(
        self,
        objective: Objective,
        theta: Tensor | None = None,
        *,
        matrix: str = "hessian",
        group: Group | None = None,
        shift: float = 0.0,
        answer: Products | None = None,
    ) -> None:
        self.objective = objective
        self.group = group
        self.size = objective.layout.size if group is None else group.size
        self.dtype = objective.dtype
        self.device = objective.device
        self.shift = shift
        self.counter = Counter()
        self.answer = LocalProducts(objective, theta, matrix=matrix) if answer is None else answer

    @property
    def products(self) -> int:
        """How many products have been spent on this operator and its blocks."""
        return self.counter.whole + self.counter.blocks

    def matmat(self, vectors: Tensor) -> Tensor:
        """The matrix times ``vectors`` of shape (P, K)."""
        return self.together([(self, vectors)])[0]

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same by the plain module, nothing kept and nothing replaced."""
        return self.together([(self, vectors)], exact=True)[0]

    def matvec(self, vector: Tensor) -> Tensor:
        """The matrix times ``vector`` of shape (P,)."""
        return self.matmat(vector.unsqueeze(1)).squeeze(1)

    def block(self, group: Group) -> "CurvatureOperator":
        """The diagonal block of a group of theta; it shares graphs and counter with this one."""
        block = CurvatureOperator(self.objective, group=group, shift=self.shift, answer=self.answer)
        block.counter = self.counter
        return block

    def together(
        self, asked: "list[tuple[CurvatureOperator, Tensor]]", *, exact: bool = False
    ) -> list[Tensor]:
        """The products of blocks of this operator, each with its vectors, in one data pass."""
        for block, vectors in asked:
            self.counter.add(vectors.shape[1], block.group)
        requests = [ProductRequest(vectors, block.group) for block, vectors in asked]
        products = self.answer(requests, exact=exact)
        if not self.shift:
            return products
        return [p + self.shift * one.vectors for p, one in zip(products, requests, strict=True)]

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


class Preconditioned:
    """P^-1/2 H P^-1/2 for a positive diagonal P of shape (P,).

    It has the eigenvalues of P^-1 H, the sharpness that an adaptive optimizer with the
    preconditioner P sees (Cohen et al., 2022); the eigenvectors of that are P^-1/2 times its own.
    """

    def __init__(self, operator: SymmetricOperator, preconditioner: Tensor) -> None:
        self.operator = operator
        self.scale = preconditioner.rsqrt().unsqueeze(1)
        self.size, self.dtype, self.device = operator.size, operator.dtype, operator.device

    def matmat(self, vectors: Tensor) -> Tensor:
        """The product with ``vectors`` of shape (P, K)."""
        return self.scale * self.operator.matmat(self.scale * vectors)

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same by the plainest product."""
        return self.scale * self.operator.exact_matmat(self.scale * vectors)
