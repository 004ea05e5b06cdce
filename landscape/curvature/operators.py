"""Symmetric linear operators on the flat parameter space."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest, Products
from landscape.eigen.operator import SymmetricOperator
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group


class Counter:
    """How many products have been computed: of the whole matrix, and of blocks of it."""

    def __init__(self) -> None:
        self.whole = 0
        self.blocks = 0

    def add(self, columns: int, group: Group | None) -> None:
        """Count the products with ``columns`` vectors."""
        if group is None:
            self.whole += columns
        else:
            self.blocks += columns


class CurvatureOperator:
    """A curvature matrix of an objective, as a symmetric operator that is never stored.

    Products keep graphs in memory, so drop the operator after the last.

    Args:
        objective: the mean loss over a sample.
        theta: the weights, of shape (P,); by default the objective's own.
        matrix: ``hessian``, ``ggn`` or ``fisher`` (:mod:`landscape.curvature.matrices`).
        group: the parameters whose diagonal block it is; by default the whole matrix.
        shift: lambda of an L2 term lambda/2 ||theta||^2 that is added to the loss.
        answer: computes the products; by default this process, from ``theta`` and ``matrix``.

    Attributes:
        counter: counts the products, each over the whole sample, with those of blocks.

    Example:
        >>> hessian = CurvatureOperator(objective)
        >>> hessian.shape == (objective.num_parameters, objective.num_parameters)
        True
        >>> gradient = objective.gradient()
        >>> curvature = gradient @ (hessian @ gradient) / (gradient @ gradient)
        >>> hessian.products
        1
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
    def shape(self) -> tuple[int, int]:
        """The shape of the matrix, (size, size)."""
        return self.size, self.size

    @property
    def products(self) -> int:
        """How many products have been computed with this operator and its blocks."""
        return self.counter.whole + self.counter.blocks

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """The matrix times a vector (P,), or times each column of (P, K)."""
        return self.matvec(vectors) if vectors.dim() == 1 else self.matmat(vectors)

    def matmat(self, vectors: Tensor) -> Tensor:
        """The matrix times ``vectors`` of shape (P, K)."""
        return self.block_products([(self, vectors)])[0]

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same by the plain module, in float64 where it takes that.

        No graph is kept and no operation replaced.
        """
        return self.block_products([(self, vectors)], exact=True)[0]

    def matvec(self, vector: Tensor) -> Tensor:
        """The matrix times ``vector`` of shape (P,)."""
        return self.matmat(vector.unsqueeze(1)).squeeze(1)

    def block(self, group: Group) -> "CurvatureOperator":
        """The diagonal block of a group of parameters; it shares graphs and counter with this."""
        block = CurvatureOperator(self.objective, group=group, shift=self.shift, answer=self.answer)
        block.counter = self.counter
        return block

    def block_products(
        self, factors: "list[tuple[CurvatureOperator, Tensor]]", *, exact: bool = False
    ) -> list[Tensor]:
        """The products of several blocks in one pass over the sample.

        Args:
            factors: blocks of this operator (or it itself), each with vectors (size, K).
            exact: use the plain module, in float64 where it takes that.
        """
        for block, vectors in factors:
            self.counter.add(vectors.shape[1], block.group)
        requests = [ProductRequest(vectors, block.group) for block, vectors in factors]
        products = self.answer(requests, exact=exact)
        if not self.shift:
            return products
        return [
            product + self.shift * request.vectors.to(product)
            for product, request in zip(products, requests, strict=True)
        ]

    def to_scipy(self) -> LinearOperator:
        """This operator as a ``LinearOperator`` for ``scipy.sparse.linalg``."""
        kind = np.float64 if self.dtype == torch.float64 else np.float32

        def multiply(columns: NDArray[Any]) -> NDArray[Any]:
            vectors = torch.from_numpy(np.array(columns, dtype=kind)).to(self.device)
            flat = vectors.reshape(self.size, -1)
            return self.matmat(flat).cpu().numpy().reshape(columns.shape)

        return LinearOperator(
            (self.size, self.size), matvec=multiply, matmat=multiply, rmatvec=multiply, dtype=kind
        )


class Preconditioned:
    """D^-1/2 H D^-1/2 for a positive diagonal matrix D.

    It has the eigenvalues of D^-1 H, the sharpness that an adaptive optimizer with the
    preconditioner D sees (Cohen et al., "Adaptive gradient methods at the edge of stability",
    2022). The eigenvectors of D^-1 H are D^-1/2 times those of this operator.

    Args:
        operator: the matrix H.
        preconditioner: the diagonal of D, of shape (P,).

    Example:
        >>> second_moments = objective.gradient() ** 2
        >>> operator = Preconditioned(CurvatureOperator(objective), second_moments.sqrt() + 1e-8)
        >>> lanczos(operator, 1, torch.Generator().manual_seed(0)).eigenvalues.shape
        torch.Size([1])
    """

    def __init__(self, operator: SymmetricOperator, preconditioner: Tensor) -> None:
        self.operator = operator
        self.scale = preconditioner.rsqrt().unsqueeze(1)
        self.size, self.dtype, self.device = operator.size, operator.dtype, operator.device

    def matmat(self, vectors: Tensor) -> Tensor:
        """The product with ``vectors`` of shape (P, K)."""
        return self.scale * self.operator.matmat(self.scale * vectors)

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same with the exact product of H."""
        scale = self.scale.double()
        return scale * self.operator.exact_matmat(scale * vectors)
