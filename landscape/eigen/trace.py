"""The trace of H, and its Frobenius norm, from products with random vectors.

Hutchinson's estimate (1990) is the mean of z'Hz over vectors z of random signs; its variance comes
from the off-diagonal part of H. Where the leading eigenvectors V are known their part of the trace
is exact, and only the rest is estimated, of far smaller variance:

    tr H = tr V'HV + E z'(I - VV') H (I - VV') z

which is Hutch++ (Meyer, Musco, Musco and Woodruff, SOSA 2021, Algorithm 1) when V is an
orthonormal basis of H times random vectors.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.eigen.eigenpairs import Eigenpairs
from landscape.eigen.operator import SymmetricOperator, rademacher_vectors
from landscape.eigen.quadrature import Quadrature
from landscape.eigen.sums import inner
from landscape.errors import InputError
from landscape.estimates import Estimate


def hutchinson(operator: SymmetricOperator, count: int, generator: torch.Generator) -> Estimate:
    """The trace from ``count`` products."""
    vectors = rademacher_vectors(operator, count, generator)
    return Estimate.of(_quotients(vectors, operator.matmat(vectors)))


def hutch_plus_plus(
    operator: SymmetricOperator, count: int, generator: torch.Generator
) -> Estimate:
    """The trace from ``count`` products: a third each for the range, its trace, and the rest."""
    if count < 6:
        raise InputError(f"Hutch++ needs at least 6 products, got {count}")
    third = min(count // 3, operator.size)
    sketch = operator.matmat(rademacher_vectors(operator, third, generator))
    basis, _ = torch.linalg.qr(sketch)
    inside = _quotients(basis, operator.matmat(basis)).sum()
    vectors = rademacher_vectors(operator, count - 2 * third, generator)
    for _ in range(2):
        vectors = vectors - basis @ (basis.T @ vectors)
    return Estimate.of(_quotients(vectors, operator.matmat(vectors)), float(inside))


def deflated_trace(
    quadrature: Quadrature, probes: Tensor, pairs: Eigenpairs, power: int = 1
) -> Estimate:
    """The trace of H^power from what quadrature and eigenpairs know, without a product.

    ``probes`` (P, n) are those of the quadrature. Only pairs that have converged take part: the
    error of an eigenvector would be one that the standard error does not show. The moments of a
    probe z are exact for a power up to twice the steps.
    """
    moments = len(probes) * (quadrature.weights * quadrature.nodes**power).sum(1)
    values = pairs.eigenvalues[pairs.converged] ** power
    overlaps = inner(pairs.vectors[:, pairs.converged], probes) ** 2
    samples = moments - (values @ overlaps).cpu().numpy()
    return Estimate.of(samples, float(values.sum()))


def frobenius_norm(quadrature: Quadrature, probes: Tensor, pairs: Eigenpairs) -> Estimate:
    """sqrt(tr H^2), likewise."""
    square = deflated_trace(quadrature, probes, pairs, power=2)
    norm = math.sqrt(max(square.value, 0.0))
    return Estimate(norm, square.stderr / (2 * norm) if norm else square.stderr)


def _quotients(vectors: Tensor, products: Tensor) -> NDArray[np.float64]:
    found: NDArray[np.float64] = inner(vectors, products).diagonal().cpu().numpy()
    return found
