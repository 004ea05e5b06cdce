"""Eigenpairs that carry their own proof."""

from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.curvature.operators import SymmetricOperator
from landscape.errors import InputError


@dataclass(frozen=True)
class Eigenpairs:
    """The K eigenvalues of largest magnitude, largest first.

    ``residuals`` holds ||H v - lambda v|| / |lambda| for each pair, measured with one more exact
    product after the method had finished: an eigenvalue of H lies within residual * |lambda| of
    lambda. ``converged`` says whether it is within the tolerance that was asked for. Vectors are
    the columns of (P, K), of unit norm. ``steps`` counts the method's iterations; of
    pyhessian, which does not tell, it is the limit for each pair.
    """

    eigenvalues: Tensor
    vectors: Tensor
    residuals: Tensor
    converged: Tensor
    method: str
    steps: int


def certify(
    operator: SymmetricOperator, vectors: Tensor, tolerance: float, method: str, steps: int
) -> Eigenpairs:
    """Measure each vector's Rayleigh quotient and residual; order by magnitude.

    Norms and inner products are taken in float64, whatever the precision of the product.
    """
    vectors = vectors / torch.linalg.vector_norm(vectors, dim=0)
    products = operator.exact_matmat(vectors).double()
    doubles = vectors.double()
    # The quotient of the rounded vector, whose norm is 1 only to the precision of its type.
    values = (doubles * products).sum(0) / (doubles * doubles).sum(0)
    errors = torch.linalg.vector_norm(products - doubles * values, dim=0)
    residuals = torch.where(errors > 0, errors / values.abs(), 0.0)
    order = values.abs().argsort(descending=True)
    residuals = residuals[order]
    return Eigenpairs(
        values[order], vectors[:, order], residuals, residuals <= tolerance, method, steps
    )


def check_count(operator: SymmetricOperator, count: int) -> None:
    """InputError unless there are ``count`` eigenvalues to be had."""
    if not 1 <= count <= operator.size:
        raise InputError(
            f"the number of eigenvalues has to be between 1 and {operator.size} "
            f"(the number of parameters), got {count}"
        )


def default_tolerance(operator: SymmetricOperator) -> float:
    """The residual that the products' rounding lets one ask for."""
    return 1e-6 if operator.dtype == torch.float64 else 1e-4
