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

# Pairs of a larger residual would bias the trace: it depends on the probes that they come from.
LARGEST_RESIDUAL = 1e-2


def hutchinson(operator: SymmetricOperator, count: int, generator: torch.Generator) -> Estimate:
    """Hutchinson's estimate of the trace, from ``count`` products.

    Args:
        operator: the matrix H.
        count: how many random vectors, and products.
        generator: the source of their signs.

    Example:
        >>> operator = CurvatureOperator(objective)
        >>> hutchinson(operator, 100, torch.Generator().manual_seed(0))
        Estimate(value=..., stderr=..., dof=...)
    """
    vectors = rademacher_vectors(operator, count, generator)
    return Estimate.of(_quotients(vectors, operator.matmat(vectors)))


def hutch_plus_plus(
    operator: SymmetricOperator, count: int, generator: torch.Generator
) -> Estimate:
    """The Hutch++ estimate of the trace, from ``count`` products.

    A third of them sketches the range of H, a third gives the trace there exactly, and the rest
    estimates what is left. Far more exact than :func:`hutchinson` where few eigenvalues dominate.

    Args:
        operator: the matrix H.
        count: how many products, at least 6.
        generator: the source of the random signs.

    Raises:
        InputError: there are fewer than 6 products.

    Example:
        >>> operator = CurvatureOperator(objective)
        >>> hutch_plus_plus(operator, 99, torch.Generator().manual_seed(0))
        Estimate(value=..., stderr=..., dof=...)
    """
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
    """The trace of H^power from a quadrature and eigenpairs, without a product.

    Only pairs that have converged, to a hundredth at least, take part, since the standard error
    does not show the errors of eigenvectors. The moments of a probe are exact for a power below
    twice the Lanczos steps, or where these span the whole space; else the estimate is nan.

    Args:
        quadrature: of the probes.
        probes: the vectors of random signs, of shape (P, n).
        pairs: leading eigenpairs, whose part of the trace is exact.
        power: of H.
    """
    steps = quadrature.nodes.shape[1]
    if power >= 2 * steps and steps < len(probes):
        return Estimate(math.nan, math.nan)
    moments = len(probes) * (quadrature.weights * quadrature.nodes**power).sum(1)
    known = pairs.converged & (pairs.residuals <= LARGEST_RESIDUAL)
    values = pairs.eigenvalues[known] ** power
    overlaps = inner(pairs.vectors[:, known], probes) ** 2
    samples = moments - (values @ overlaps).cpu().numpy()
    return Estimate.of(samples, float(values.sum()))


def frobenius_norm(quadrature: Quadrature, probes: Tensor, pairs: Eigenpairs) -> Estimate:
    """The Frobenius norm sqrt(tr H^2), from a quadrature and eigenpairs, without a product."""
    square = deflated_trace(quadrature, probes, pairs, power=2)
    if math.isnan(square.value):  # of a single Lanczos step
        return square
    norm = math.sqrt(max(square.value, 0.0))
    error = square.stderr / (2 * norm) if norm else square.stderr
    return Estimate(norm, error, square.dof)


def _quotients(vectors: Tensor, products: Tensor) -> NDArray[np.float64]:
    """z'Hz for each column z of ``vectors`` with its product Hz."""
    quotients: NDArray[np.float64] = inner(vectors, products).diagonal().cpu().numpy()
    return quotients
