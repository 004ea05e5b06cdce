"""Eigenpairs with certificates: each comes with its measured residual."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.eigen.operator import SymmetricOperator
from landscape.eigen.sums import unit
from landscape.errors import InputError


@dataclass(frozen=True)
class Eigenpairs:
    """K eigenpairs, largest magnitude first.

    Attributes:
        eigenvalues: of shape (K,).
        vectors: the eigenvectors, the columns of (P, K), of unit norm.
        residuals: ||H v - lambda v|| / |lambda| of each pair, measured with one more exact product
            after the method had finished. An eigenvalue of H lies within residual * |lambda| of
            lambda.
        converged: whether the residual is within the tolerance that was asked for, which for both
            ends of a spectrum is relative to the largest magnitude.
        method: the name of the method.
        steps: how many products the method took before the certificate; for pyhessian, which does
            not say, its limit for each pair.
    """

    eigenvalues: Tensor
    vectors: Tensor
    residuals: Tensor
    converged: Tensor
    method: str
    steps: int


def certify(
    operator: SymmetricOperator,
    vectors: Tensor,
    tolerance: float,
    method: str,
    steps: int,
    which: str = "magnitude",
) -> Eigenpairs:
    """Measure each vector's Rayleigh quotient and residual with one exact product.

    Norms and inner products are taken in float64, whatever the precision of the product.

    Args:
        operator: the matrix.
        vectors: approximate eigenvectors, the columns of (P, K).
        tolerance: the residual up to which a pair has converged.
        method: the name of the method that found the vectors.
        steps: how many products it took.
        which: ``magnitude`` or ``ends``: what the tolerance is relative to.

    Returns:
        The pairs, ordered by magnitude.
    """
    vectors = unit(vectors)
    products = operator.exact_matmat(vectors)
    return certificate(vectors, products, tolerance, method, steps, which)


def certificate(
    vectors: Tensor,
    products: Tensor,
    tolerance: float,
    method: str,
    steps: int,
    which: str = "magnitude",
) -> Eigenpairs:
    """As :func:`certify`, for vectors of unit norm whose exact products are known, both (P, K)."""
    products, doubles = products.double(), vectors.double()
    # The quotient of the rounded vector, whose norm is 1 only to the precision of its type.
    values = (doubles * products).sum(0) / (doubles * doubles).sum(0)
    errors = torch.linalg.vector_norm(products - doubles * values, dim=0)
    residuals = torch.where(errors > 0, errors / values.abs(), 0.0)
    allowed = tolerance * scale_of(values.abs(), which)
    order = values.abs().argsort(descending=True)
    return Eigenpairs(
        eigenvalues=values[order],
        vectors=vectors[:, order],
        residuals=residuals[order],
        converged=(errors <= allowed)[order],
        method=method,
        steps=steps,
    )


def scale_of(magnitudes: Tensor, which: str) -> Tensor:
    """What residual norms are relative to: each eigenvalue, or the largest for ``ends``."""
    return magnitudes.max().expand(magnitudes.shape) if which == "ends" else magnitudes


def choose(values: NDArray[np.float64], count: int, which: str) -> NDArray[np.intp]:
    """The indices of the ``count`` values of largest magnitude, or of ``count`` from each end.

    Args:
        values: of shape (m,).
        count: how many.
        which: ``magnitude``, or ``ends`` for the ``count`` smallest and the ``count`` largest.
    """
    if which == "magnitude":
        return np.argsort(-np.abs(values), kind="stable")[:count]
    order = np.argsort(values, kind="stable")
    if len(order) <= 2 * count:
        return order
    return np.concatenate([order[:count], order[-count:]])


def check_count(operator: SymmetricOperator, count: int) -> None:
    """Raise InputError if the operator does not have ``count`` eigenvalues."""
    if not 1 <= count <= operator.size:
        raise InputError(
            f"the number of eigenvalues has to be between 1 and {operator.size} "
            f"(the number of parameters), got {count}"
        )


def default_tolerance(operator: SymmetricOperator) -> float:
    """The relative residual that products of the operator's precision can reach."""
    return 1e-6 if operator.dtype == torch.float64 else 1e-4


def rounding(operator: SymmetricOperator) -> float:
    """The share of the largest eigenvalue below which a number is rounding of the products."""
    return 10 * torch.finfo(operator.dtype).eps
