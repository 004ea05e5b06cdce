"""The Lanczos process with full reorthogonalisation (Golub and Van Loan, section 10.3).

In floating point the plain recurrence loses orthogonality as soon as an eigenvalue has converged
and finds it again: a "ghost". Every new vector is therefore orthogonalised against all earlier
ones, twice ("twice is enough": Parlett, The Symmetric Eigenvalue Problem, section 6.9).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from landscape.curvature.operators import SymmetricOperator, random_vector
from landscape.errors import NotMeasurableError

# What is left of an exhausted space, in units of rounding.
ROUNDING = 100


class Krylov:
    """An orthonormal basis Q of shape (P, m) and the tridiagonal T = Q' H Q, grown step by step.

    T is kept in float64. Where the space is exhausted (an invariant subspace) the process goes on
    from a fresh random vector, so repeated eigenvalues and zero blocks are found too.
    """

    def __init__(
        self,
        operator: SymmetricOperator,
        start: Tensor,
        generator: torch.Generator,
        limit: int,
    ) -> None:
        self.operator = operator
        self.generator = generator
        self.alphas: list[float] = []
        self.betas: list[float] = []
        self.starts = [0]  # the steps at which the process set out from a fresh vector
        self._rows = min(limit, operator.size) + 1  # one for the vector that comes next
        self._basis = start.new_empty(min(16, self._rows), operator.size)
        self._basis[0] = start / torch.linalg.vector_norm(start)

    @property
    def steps(self) -> int:
        """m, the number of columns of Q."""
        return len(self.alphas)

    @property
    def is_complete(self) -> bool:
        """Whether Q spans the whole space."""
        return self.steps == self.operator.size

    @property
    def basis(self) -> Tensor:
        """Q as rows, of shape (m, P)."""
        return self._basis[: self.steps]

    @property
    def vector(self) -> Tensor:
        """The vector that the next step multiplies, of shape (P,)."""
        return self._basis[self.steps]

    def advance(self, product: Tensor) -> None:
        """One step, given H times :attr:`vector`."""
        m = self.steps
        alpha = torch.dot(self._basis[m].double(), product.double()).item()
        if not math.isfinite(alpha):
            raise NotMeasurableError("a Hessian product is not finite: no Hessian here")
        self.alphas.append(alpha)
        residual = self._orthogonalised(product)
        beta = torch.linalg.vector_norm(residual.double()).item()
        scale = max(map(abs, [*self.alphas, *self.betas]))
        # What is left of an exhausted space is the rounding of the product.
        exhausted = beta <= ROUNDING * torch.finfo(product.dtype).eps * scale
        self.betas.append(0.0 if exhausted else beta)
        if self.is_complete:
            return
        if exhausted:
            self.starts.append(m + 1)
            residual = self._orthogonalised(random_vector(self.operator, self.generator))
        if m + 1 == len(self._basis):
            rows = min(2 * len(self._basis), self._rows)
            grown = self._basis.new_empty(rows, self.operator.size)
            grown[: m + 1] = self._basis
            self._basis = grown
        self._basis[m + 1] = residual / torch.linalg.vector_norm(residual)

    def ritz(self, start: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Eigenvalues and eigenvectors (as columns) of T, or of its part from ``start``."""
        diagonal = np.array(self.alphas[start:])
        if len(diagonal) == 1:
            return diagonal, np.ones((1, 1))
        values, vectors = eigh_tridiagonal(diagonal, np.array(self.betas[start:-1]))
        return values, vectors

    def _orthogonalised(self, vector: Tensor) -> Tensor:
        """``vector`` without its components in Q and the vector under way; two passes."""
        known = self._basis[: self.steps] if self.alphas else self._basis[:1]
        for _ in range(2):
            vector = vector - known.T @ (known @ vector)
        return vector
