"""Eigenvalues that one Lanczos process can't see: the further copies of a repeated one.

From one start vector comes one eigenvector of each eigenspace. The others are found from another
start in the complement of what is known.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.eigen.eigenpairs import rounding
from landscape.eigen.krylov import Krylov
from landscape.eigen.operator import SymmetricOperator, random_vector

LOGGER = logging.getLogger(__name__)

# After so many steps an eigenvalue well above the rest has shown itself to a random vector: what
# it holds of it grows with every step by about the ratio of the two.
PROBE_STEPS = 8


class Deflated:
    """(I - V V') H (I - V V') for orthonormal columns V of shape (P, K)."""

    def __init__(self, operator: SymmetricOperator, known: Tensor) -> None:
        self.operator = operator
        self.known = known
        self.size, self.dtype, self.device = operator.size, operator.dtype, operator.device

    def project(self, vectors: Tensor) -> Tensor:
        """The part orthogonal to V."""
        for _ in range(2):
            vectors = vectors - self.known @ (self.known.T @ vectors)
        return vectors

    def matmat(self, vectors: Tensor) -> Tensor:
        """The product with ``vectors`` of shape (P, K)."""
        return self.project(self.operator.matmat(self.project(vectors)))

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same by the plainest product."""
        return self.project(self.operator.exact_matmat(self.project(vectors)))


@dataclass(frozen=True)
class Known:
    """Eigenvalues (K,), orthonormal vectors (P, K), and the products spent on them."""

    values: NDArray[np.float64]
    vectors: Tensor
    steps: int


@dataclass(frozen=True)
class _Bounds:
    """What lies below ``low`` or above ``high`` belongs among the eigenvalues asked for.

    ``scale`` is what errors are relative to; without it, the eigenvalue itself.
    """

    low: float
    high: float
    tolerance: float
    scale: float | None

    @classmethod
    def of(
        cls,
        values: NDArray[np.float64],
        count: int,
        tolerance: float,
        which: str,
        noise: float,
    ) -> "_Bounds":
        """The bounds that the last of ``count`` values set; ``noise`` is a share of the largest."""
        if which == "ends":
            scale = float(np.abs(values).max())
            margin = tolerance * scale
            ascending = np.sort(values)
            last = min(count, len(values))
            low, high = float(ascending[last - 1]), float(ascending[-last])
            return cls(low - margin, high + margin, tolerance, scale)
        ascending = np.sort(np.abs(values))
        smallest = max(ascending[-count] * (1 + tolerance), noise * ascending[-1])
        return cls(-smallest, smallest, tolerance, None)

    def beyond(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each value lies outside; negative within the bounds."""
        return np.maximum(values - self.high, self.low - values)

    def allowed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The errors up to which a value counts as found."""
        scales = np.abs(values) if self.scale is None else np.full(len(values), self.scale)
        return self.tolerance * scales


def most_copies(values: NDArray[np.float64], tolerance: float) -> int:
    """How often the most frequent eigenvalue occurs; those within ``tolerance`` are one."""
    if not len(values):
        return 0
    ascending = np.sort(values)
    is_new = np.diff(ascending) > tolerance * np.abs(ascending[1:])
    return int(np.bincount(np.concatenate([[0], np.cumsum(is_new)])).max())


def with_copies(
    operator: SymmetricOperator,
    found: Known,
    count: int,
    tolerance: float,
    generator: torch.Generator,
    max_steps: int,
    which: str = "magnitude",
) -> Known:
    """``found`` and what else is among the ``count`` of largest magnitude, or of either end.

    It looks for ``PROBE_STEPS`` products; once an eigenvalue has been found twice, for as long as
    T does not say that nothing is left. ``max_steps`` bounds the products spent.
    """
    limit = found.steps + max_steps
    while found.steps < limit and len(found.values) < operator.size:
        bounds = _Bounds.of(found.values, count, tolerance, which, rounding(operator))
        thorough = most_copies(found.values, tolerance) > 1
        hidden = _find_hidden(
            operator, found.vectors, bounds, generator, limit - found.steps, thorough=thorough
        )
        vectors = torch.cat([found.vectors, hidden.vectors], dim=1)
        steps = found.steps + hidden.steps
        found = Known(np.append(found.values, hidden.values), vectors, steps)
        if not len(hidden.values) and steps < limit:
            return found
    if len(found.values) < operator.size:
        LOGGER.info(
            "further copies of repeated eigenvalues may be missing; more --max-steps find them"
        )
    return found


def _find_hidden(
    operator: SymmetricOperator,
    known: Tensor,
    bounds: _Bounds,
    generator: torch.Generator,
    max_steps: int,
    *,
    thorough: bool,
) -> Known:
    """Eigenpairs in the complement of ``known`` (P, K) that lie beyond the bounds."""
    deflated = Deflated(operator, known)
    start = deflated.project(random_vector(operator, generator).unsqueeze(1)).squeeze(1)
    krylov = Krylov(deflated, start, generator, min(max_steps, operator.size))
    values, weights, chosen = np.empty(0), np.empty((0, 0)), np.empty(0, dtype=np.intp)
    while krylov.steps < min(max_steps, operator.size - known.shape[1]):
        krylov.advance(deflated.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
        values, weights = krylov.ritz()
        errors = krylov.errors(weights)
        beyond = bounds.beyond(values)
        best = int(np.argmax(beyond))
        settled = errors <= bounds.allowed(values)
        if beyond[best] > 0:
            settled_best = bool(settled[best])
            settled[best] = True  # where products run out the certificate tells
            chosen = np.flatnonzero(settled & (beyond > 0))
            if settled_best:
                break
        elif krylov.steps >= PROBE_STEPS and not (thorough and beyond[best] + errors[best] > 0):
            break
    return Known(values[chosen], krylov.ritz_vectors(weights[:, chosen]), krylov.steps)
