"""Power iteration with deflation: a slow, simple check of Lanczos."""

import torch
from torch import Tensor

from landscape.eigen.eigenpairs import (
    LESS_STEPS,
    SEARCH_SHARE,
    Eigenpairs,
    certify,
    check_count,
    default_tolerance,
)
from landscape.eigen.operator import SymmetricOperator, check_finite, random_vector
from landscape.eigen.sums import inner, norms, unit
from landscape.runtime.progress import track


def power_iteration(
    operator: SymmetricOperator,
    count: int,
    generator: torch.Generator,
    *,
    tolerance: float | None = None,
    max_steps: int = 300,
) -> Eigenpairs:
    """The ``count`` eigenpairs of largest magnitude, one after the other.

    Each vector is iterated until its residual ||H v - q v|| / |q| is within half of ``tolerance``,
    in the complement of those before it. Two eigenvalues of equal size and opposite sign don't
    separate; the residual then says so.

    Args:
        operator: the matrix H.
        count: how many pairs.
        generator: the source of the random starts.
        tolerance: of the residuals, by default 1e-4, or 1e-6 in float64.
        max_steps: the largest number of products for each pair.

    Raises:
        InputError: there are not that many eigenvalues.
        NotMeasurableError: a product is not finite.
    """
    check_count(operator, count)
    tolerance = default_tolerance(operator) if tolerance is None else tolerance
    vectors: list[Tensor] = []
    steps = 0
    for k in range(count):
        vector = _deflated(random_vector(operator, generator), vectors)
        for _ in track(
            range(max_steps), f"eigenvalue {k + 1} of {count} (power iteration)", less=LESS_STEPS
        ):
            product = operator.matmat(vector.unsqueeze(1)).squeeze(1)
            steps += 1
            check_finite(product)
            product = _deflated(product, vectors, normalize=False)
            quotient = inner(vector.unsqueeze(1), product.unsqueeze(1)).squeeze().to(vector)
            residual = norms(product - quotient * vector)
            if residual <= SEARCH_SHARE * tolerance * quotient.abs():
                break
            vector = _deflated(product, vectors)
        vectors.append(vector)
    # Deflation is only as exact as the vectors. Rayleigh-Ritz in their span removes its errors.
    basis = torch.stack(vectors, dim=1)
    steps += count
    _, rotation = torch.linalg.eigh(inner(basis, operator.matmat(basis)).to(basis))
    return certify(operator, basis @ rotation, tolerance, "power", steps)


def _deflated(vector: Tensor, known: list[Tensor], *, normalize: bool = True) -> Tensor:
    """``vector`` minus its projection onto the unit vectors ``known``."""
    for _ in range(2):
        for eigenvector in known:
            vector = vector - torch.dot(eigenvector, vector) * eigenvector
    return unit(vector) if normalize else vector
