"""Eigenvalues that one Lanczos process can't see: the further copies of a repeated one.

From one start vector comes one eigenvector of each eigenspace. The others are found from another
start in the complement of what is known.
"""

import numpy as np
import torch
from torch import Tensor

from landscape.curvature.krylov import Krylov
from landscape.curvature.operators import SymmetricOperator, random_vector

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


def find_hidden(
    operator: SymmetricOperator,
    known: Tensor,
    smallest: float,
    tolerance: float,
    generator: torch.Generator,
    max_steps: int,
) -> tuple[float, Tensor | None, int]:
    """An eigenpair in the complement of ``known`` (P, K) that is larger than ``smallest``.

    Returns its value, vector and the products spent; no vector if none has shown up.
    """
    deflated = Deflated(operator, known)
    start = deflated.project(random_vector(operator, generator).unsqueeze(1)).squeeze(1)
    krylov = Krylov(deflated, start, generator, min(max_steps, operator.size))
    value, vector = 0.0, None
    while krylov.steps < min(max_steps, operator.size - known.shape[1]):
        krylov.advance(deflated.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
        values, weights = krylov.ritz()
        best = int(np.argmax(np.abs(values)))
        value = float(values[best])
        if abs(value) <= smallest * (1 + tolerance):
            if krylov.steps >= PROBE_STEPS:
                break
            continue
        vector = krylov.ritz_vectors(weights[:, [best]]).squeeze(1)
        if krylov.errors(weights)[best] <= tolerance * abs(value):
            break
    return value, vector, krylov.steps
