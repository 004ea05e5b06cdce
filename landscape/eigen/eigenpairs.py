"""Eigenpairs with certificates: each comes with its measured residual."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.eigen.operator import SymmetricOperator, check_finite
from landscape.eigen.sums import unit
from landscape.errors import InputError

# Which pairs: those of largest magnitude, with the largest and the smallest eigenvalue besides.
WITH_ENDS = "magnitude with ends"
# The share of the tolerance that a search goes to. The rest is for what exact products show: the
# rounding of the fast ones, and the bound of a joint certificate.
SEARCH_SHARE = 0.5
# What makes the search for eigenpairs shorter.
LESS_STEPS = "lower --top, --max-steps or --samples, or raise --tol"


@dataclass(frozen=True)
class Eigenpairs:
    """K eigenpairs, largest magnitude first.

    Every Rayleigh quotient is between the smallest and the largest eigenvalue: what is found of an
    end of the spectrum and has not converged is a bound of it.

    Attributes:
        eigenvalues: of shape (K,).
        vectors: the eigenvectors, the columns of (P, K), of unit norm.
        residuals: ||H v - lambda v|| / |lambda| of each pair, or a bound of it, by exact products
            after the method had finished: one for each pair, or fewer for all of them
            (:mod:`landscape.eigen.joint_certificate`). An eigenvalue of H lies within
            residual * |lambda| of lambda, but for the rounding of these products.
        converged: whether the residual is within the tolerance that was asked for, which for the
            ends of a spectrum is relative to the largest magnitude.
        method: the name of the method.
        steps: how many products the method took before the certificate; for pyhessian, which does
            not say, its limit for each pair.
        precision: the floating type of the exact products. The rounding of float64 is far below
            any tolerance; that of float32 may be more than the residuals where a network fits its
            data, since the derivatives of its loss cancel.
    """

    eigenvalues: Tensor
    vectors: Tensor
    residuals: Tensor
    converged: Tensor
    method: str
    steps: int
    precision: torch.dtype

    def select(self, chosen: slice | list[int]) -> "Eigenpairs":
        """Some of the pairs, by their numbers."""
        return replace(
            self,
            eigenvalues=self.eigenvalues[chosen],
            vectors=self.vectors[:, chosen],
            residuals=self.residuals[chosen],
            converged=self.converged[chosen],
        )

    @property
    def ends(self) -> "Eigenpairs":
        """The largest and the smallest eigenvalue with their pairs, in this order."""
        return self.select([int(self.eigenvalues.argmax()), int(self.eigenvalues.argmin())])


def certify(
    operator: SymmetricOperator,
    vectors: Tensor,
    tolerance: float,
    method: str,
    steps: int,
    which: str = "magnitude",
    count: int | None = None,
) -> Eigenpairs:
    """Measure each vector's Rayleigh quotient and residual with one exact product.

    Norms and inner products are taken in float64, whatever the precision of the product.

    Args:
        operator: the matrix.
        vectors: approximate eigenvectors, the columns of (P, K).
        tolerance: the residual up to which a pair has converged.
        method: the name of the method that found the vectors.
        steps: how many products it took.
        which: ``magnitude``, ``ends`` or :data:`WITH_ENDS`: what the tolerance is relative to.
        count: how many of the pairs were asked for by magnitude, by default all.

    Returns:
        The pairs, ordered by magnitude.
    """
    vectors = unit(vectors)
    products = operator.exact_matmat(vectors)
    return certificate(vectors, products, tolerance, method, steps, which, count)


def certificate(
    vectors: Tensor,
    products: Tensor,
    tolerance: float,
    method: str,
    steps: int,
    which: str = "magnitude",
    count: int | None = None,
    *,
    distances: Tensor | None = None,
    precision: torch.dtype | None = None,
) -> Eigenpairs:
    """As :func:`certify`, for vectors of unit norm whose products are known, both (P, K).

    ``distances`` (K,) are bounds of the products' distances from exact ones, by default none, and
    ``precision`` is the type of these, by default that of the products.

    Raises:
        NotMeasurableError: a product is not finite.
    """
    check_finite(products)
    precision = precision or products.dtype
    products, doubles = products.double(), vectors.double()
    # The quotient of the rounded vector, whose norm is 1 only to the precision of its type.
    values = (doubles * products).sum(0) / (doubles * doubles).sum(0)
    errors = torch.linalg.vector_norm(products - doubles * values, dim=0)
    if distances is not None:
        errors = errors + distances
    residuals = torch.where(errors == 0, 0.0, errors / values.abs())
    order = values.abs().argsort(descending=True)
    values = values[order]
    allowed = tolerance * scale_of(values.abs(), which, count)
    return Eigenpairs(
        eigenvalues=values,
        vectors=vectors[:, order],
        residuals=residuals[order],
        converged=errors[order] <= allowed,
        method=method,
        steps=steps,
        precision=precision,
    )


def scale_of(magnitudes: Tensor, which: str, count: int | None = None) -> Tensor:
    """What residual norms are relative to.

    That is the magnitude of each eigenvalue, for ``ends`` the largest of them, and for
    :data:`WITH_ENDS` the largest for those that come after the first ``count``.
    """
    if which not in ("ends", WITH_ENDS):
        return magnitudes
    if which == WITH_ENDS and count is None:
        raise ValueError(f"{WITH_ENDS!r} needs the number of eigenvalues that come first")
    leading = count if which == WITH_ENDS else 0
    largest = magnitudes.max().expand(magnitudes.shape)
    return torch.cat([magnitudes[:leading], largest[leading:]])


def choose(values: NDArray[np.float64], count: int, which: str) -> NDArray[np.intp]:
    """The indices of the ``count`` values of largest magnitude, or of ``count`` from each end.

    Args:
        values: of shape (m,).
        count: how many.
        which: ``magnitude``, or ``ends`` for the ``count`` smallest and the ``count`` largest, or
            :data:`WITH_ENDS` for those of largest magnitude and after them the largest and the
            smallest, as far as these are not among them.
    """
    if which in ("magnitude", WITH_ENDS):
        leading = np.argsort(-np.abs(values), kind="stable")[:count]
        if which == "magnitude":
            return leading
        ends = [end for end in (int(values.argmax()), int(values.argmin())) if end not in leading]
        return np.concatenate([leading, np.array(list(dict.fromkeys(ends)), dtype=np.intp)])
    order = np.argsort(values, kind="stable")
    if len(order) <= 2 * count:
        return order
    return np.concatenate([order[:count], order[-count:]])


def is_iterated(values: NDArray[np.float64], count: int, which: str) -> NDArray[np.bool_]:
    """Which of the chosen values a method has to converge on, for all that :func:`choose` returns.

    All but the lower end of :data:`WITH_ENDS`, where it is not among the largest in magnitude: it
    lies in the bulk, would take many products, and is reported as far as it has been found.
    """
    if which != WITH_ENDS:
        return np.ones(len(values), dtype=bool)
    is_extra = np.arange(len(values)) >= count
    return np.asarray(~is_extra | (values == values.max()))


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
