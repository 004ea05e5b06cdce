"""The Lanczos process with full reorthogonalisation (Golub and Van Loan, section 10.3).

In floating point the plain recurrence loses orthogonality as soon as an eigenvalue has converged
and then finds it again: a "ghost". Every new vector is therefore orthogonalised against all earlier
ones, twice ("twice is enough": Parlett, The Symmetric Eigenvalue Problem, section 6.9). Where
memory is short the basis is cut back to the leading Ritz vectors from time to time (thick restart:
Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 2000).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh, eigh_tridiagonal
from torch import Tensor

from landscape.eigen.basis import Basis, affordable_rows
from landscape.eigen.operator import SymmetricOperator, check_finite, random_vector
from landscape.eigen.sums import unit

# A remainder of at most so many units of rounding says that the Krylov space is exhausted.
ROUNDING = 100

Array = NDArray[np.float64]


class Krylov:
    """A Lanczos process: an orthonormal basis Q of m columns and T = Q' H Q, grown step by step.

    T is kept in float64. Where the Krylov space is exhausted (an invariant subspace) the process
    continues from a fresh random vector, so that repeated eigenvalues and zero blocks are found.

    Args:
        operator: the matrix H; the caller multiplies (see :meth:`advance`).
        start: the first vector, of shape (P,) and any length.
        generator: the source of fresh vectors.
        limit: the largest number of steps.
        columns: the largest number of columns of Q, by default as many as there is memory for.
            When Q has them all, :meth:`restart` has to be called before the next step.
        size_of_all: the length of the vectors of all processes that advance side by side, which
            share the memory; by default P, for one process.

    Attributes:
        steps: how many steps were taken, restarts included.
        quotient: q'Hq for the unit vector q of the start.
        starts: the columns at which the process started from a fresh vector.
    """

    def __init__(
        self,
        operator: SymmetricOperator,
        start: Tensor,
        generator: torch.Generator,
        limit: int,
        columns: int | None = None,
        size_of_all: int | None = None,
    ) -> None:
        size_of_all = size_of_all or operator.size
        self.operator = operator
        self.generator = generator
        self.steps = 0
        self.quotient = math.nan
        self.starts = [0]
        room = columns or affordable_rows(size_of_all, operator.dtype, operator.device) - 1
        self._columns = min(limit, operator.size, room)
        # The last row is the vector of the next step.
        self._basis = Basis(start, self._columns + 1, size_of_all=size_of_all)
        self._basis.append(unit(start))
        self._kept = 0  # columns from before the last restart, where T is not tridiagonal
        self._coupling: Array = np.empty(0)  # of these columns with the first after them, in T
        self._alphas: list[float] = []
        self._betas: list[float] = []

    @property
    def width(self) -> int:
        """m, the number of columns of Q."""
        return len(self._alphas)

    @property
    def is_complete(self) -> bool:
        """Whether Q spans the whole space."""
        return self.width == self.operator.size

    @property
    def is_full(self) -> bool:
        """Whether a restart has to make room before another step."""
        return self.width == self._columns and not self.is_complete

    @property
    def vector(self) -> Tensor:
        """The vector that the next step multiplies, of shape (P,)."""
        return self._basis.row(self.width)

    @property
    def beta(self) -> float:
        """The norm of the last product's part outside Q."""
        return self._betas[-1]

    def advance(self, product: Tensor) -> None:
        """Take one step.

        Args:
            product: H times :attr:`vector`, of shape (P,).

        Raises:
            NotMeasurableError: the product is not finite.
        """
        m = self.width
        check_finite(product)
        alpha = torch.dot(self.vector.double(), product.double()).item()
        if not self.steps:
            self.quotient = alpha
        self.steps += 1
        self._alphas.append(alpha)
        residual = self._basis.without(product)
        beta = torch.linalg.vector_norm(residual.double()).item()
        scale = max(map(abs, [*self._alphas, *self._betas]))
        # Outside an exhausted space there is nothing but the rounding of the product.
        exhausted = beta <= ROUNDING * torch.finfo(product.dtype).eps * scale
        self._betas.append(0.0 if exhausted else beta)
        if self.is_complete:
            return
        if exhausted:
            self.starts.append(m + 1)
            residual = self._basis.without(random_vector(self.operator, self.generator))
        self._basis.append(unit(residual))

    def ritz(self, start: int = 0) -> tuple[Array, Array]:
        """Eigenvalues (m,) and eigenvectors (m, m), as columns, of T, or of T[start:, start:]."""
        diagonal = np.array(self._alphas[start:])
        if len(diagonal) == 1:
            return diagonal, np.ones((1, 1))
        below = np.array(self._betas[start:-1])
        if not self._kept or start >= self._kept:
            values, vectors = eigh_tridiagonal(diagonal, below)
            return values, vectors
        matrix = np.diag(diagonal) + np.diag(below, -1)
        if self.width > self._kept:
            matrix[self._kept, : self._kept] = self._coupling
        values, vectors = eigh(matrix, lower=True)
        return values, vectors

    def outside(self, vectors: Tensor) -> Tensor:
        """The components of the columns of ``vectors`` (P, M) that are orthogonal to Q."""
        return torch.stack([self._basis.without(vector) for vector in vectors.T], dim=1)

    def largest_share(self, value: float) -> float:
        """The largest (w'q)^2 that an eigenvector w with this eigenvalue can have.

        q is the unit vector of the start, and ``value`` lies outside all Ritz values. The part of w
        along the vector after k steps is p_k(value) w'q with the orthonormal polynomials p_k of T,
        and the squares of all these parts sum to 1 at most. It is the smaller, the farther out the
        value lies.
        """
        before, current, total = 0.0, 1.0, 1.0
        below = [0.0, *self._betas]
        for alpha, beta_before, beta in zip(self._alphas, below, self._betas, strict=False):
            if not beta:
                return 0.0  # Q is invariant: it holds w, or q does not
            before, current = current, ((value - alpha) * current - beta_before * before) / beta
            total += current**2
        return 1 / total

    def errors(self, vectors: Array) -> Array:
        """The residual norms of Ritz pairs whose vectors have these coordinates (m, K) in Q."""
        return np.abs(self._outside_part(vectors))

    def ritz_vectors(self, coordinates: Array) -> Tensor:
        """The vectors (P, K) that have these coordinates (m, K) in Q."""
        return self._basis.combine(torch.from_numpy(coordinates.copy()))

    def images(self, coordinates: Array) -> Tensor:
        """H times the vectors (P, K) with these coordinates, as Q T + beta q e': no product."""
        values, vectors = self.ritz()
        inside = vectors @ (values[:, None] * (vectors.T @ coordinates))
        outside = self._outside_part(coordinates)[None]
        return self._basis.combine(
            torch.from_numpy(np.concatenate([inside, outside])[: len(self._basis)])
        )

    def _outside_part(self, coordinates: Array) -> Array:
        """The parts along :attr:`vector` of H times the vectors with these coordinates (m, K)."""
        if self._kept == self.width:  # nothing has been multiplied since the restart
            return np.asarray(self._coupling @ coordinates)
        return np.asarray(self.beta * coordinates[-1])

    def restart(self, keep: NDArray[np.intp]) -> None:
        """Cut Q back to the Ritz vectors with the indices ``keep``; :attr:`vector` stays."""
        values, vectors = self.ritz()
        vector = self.vector
        self._coupling = self._outside_part(vectors[:, keep])
        kept = self.ritz_vectors(vectors[:, keep])
        self._basis.replace(kept)
        self._basis.append(vector)
        self._alphas = list(map(float, values[keep]))
        self._betas = [0.0] * len(keep)
        self._kept = len(keep)
        self.starts = [0]
