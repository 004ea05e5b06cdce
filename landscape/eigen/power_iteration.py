"""Power iteration with deflation: a slow, simple check of Lanczos."""

import torch
from torch import Tensor

from landscape.eigen.eigenpairs import Eigenpairs, certify, check_count, default_tolerance
from landscape.eigen.operator import SymmetricOperator, random_vector
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

    Each is iterated until its residual ||H v - q v|| / |q| is within ``tolerance``, for at most
    ``max_steps`` products, in the complement of those found before. Two eigenvalues of equal
    size and opposite sign don't separate; the residual then says so.
    """
    check_count(operator, count)
    tolerance = default_tolerance(operator) if tolerance is None else tolerance
    found: list[Tensor] = []
    steps = 0
    for k in range(count):
        vector = _deflated(random_vector(operator, generator), found)
        for _ in track(range(max_steps), f"eigenvalue {k + 1} of {count} (power iteration)"):
            product = operator.matmat(vector.unsqueeze(1)).squeeze(1)
            steps += 1
            product = _deflated(product, found, normalize=False)
            quotient = inner(vector.unsqueeze(1), product.unsqueeze(1)).squeeze().to(vector)
            residual = norms(product - quotient * vector)
            if residual <= 0.5 * tolerance * quotient.abs():
                break
            vector = _deflated(product, found)
        found.append(vector)
    # The vectors are as exact as the tolerance, and so is their deflation: what is left of it in
    # the span of all of them goes by diagonalising H there (Rayleigh and Ritz).
    basis = torch.stack(found, dim=1)
    steps += count
    _, rotation = torch.linalg.eigh(inner(basis, operator.matmat(basis)).to(basis))
    return certify(operator, basis @ rotation, tolerance, "power", steps)


def _deflated(vector: Tensor, found: list[Tensor], *, normalize: bool = True) -> Tensor:
    for _ in range(2):
        for other in found:
            vector = vector - torch.dot(other, vector) * other
    return unit(vector) if normalize else vector
