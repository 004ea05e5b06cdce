"""Eigenpairs that carry their own proof."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.eigen.operator import SymmetricOperator
from landscape.eigen.sums import unit
from landscape.errors import InputError

# Which eigenvalues: those of largest magnitude, or as many from each end of the spectrum.


@dataclass(frozen=True)
class Eigenpairs:
    """The K eigenvalues that were asked for, largest magnitude first.

    ``residuals`` holds ||H v - lambda v|| / |lambda| for each pair, measured with one more exact
    product after the method had finished: an eigenvalue of H lies within residual * |lambda| of
    lambda. ``converged`` says whether it is within the tolerance that was asked for, of the ends
    of a spectrum relative to the largest magnitude. Vectors are the columns of (P, K), of unit
    norm. ``steps`` counts the method's products before that; of pyhessian, which does not tell, it
    is the limit for each pair.
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
    """Measure each vector's Rayleigh quotient and residual; order by magnitude.

    Norms and inner products are taken in float64, whatever the precision of the product.
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
    """The same for vectors of unit norm whose exact products are known, both of shape (P, K)."""
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
    """What a residual has to be small against: its own eigenvalue, or the largest for the ends."""
    return magnitudes.max().expand(magnitudes.shape) if which == "ends" else magnitudes


def choose(values: NDArray[np.float64], count: int, which: str) -> NDArray[np.intp]:
    """The numbers of the ``count`` largest by magnitude, or of as many from each end."""
    if which == "magnitude":
        return np.argsort(-np.abs(values), kind="stable")[:count]
    order = np.argsort(values, kind="stable")
    if len(order) <= 2 * count:
        return order
    return np.concatenate([order[:count], order[-count:]])


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


def rounding(operator: SymmetricOperator) -> float:
    """The share of the largest eigenvalue below which a number is the products' rounding."""
    return 10 * torch.finfo(operator.dtype).eps
