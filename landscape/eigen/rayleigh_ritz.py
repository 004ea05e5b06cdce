"""The leading eigenpairs out of Lanczos processes that ran for something else.

The processes of a spectral density have the leading eigenvectors in their bases, each to its own
accuracy, and several of them see several copies of a repeated eigenvalue. The best that all of
them know together is had by diagonalising H in the span of their Ritz vectors (Rayleigh and Ritz);
it takes no product, since H times a Ritz vector is known. What is not yet good enough is improved
by adding the residuals to the span (Davidson, J. Comput. Phys. 17, 1975, without a
preconditioner; for one process it is thick-restart Lanczos).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.eigen.eigenpairs import (
    Eigenpairs,
    certify,
    check_count,
    choose,
    default_tolerance,
    rounding,
    scale_of,
)
from landscape.eigen.krylov import Krylov
from landscape.eigen.multiplicity import Known, most_copies, with_copies
from landscape.eigen.operator import SymmetricOperator
from landscape.eigen.sums import inner, norms, unit
from landscape.runtime.progress import track

# Ritz vectors beyond those asked for that a process contributes.
SPARE = 4
# Directions of the joint span whose squared length is below this share are rounding.
DEPENDENT = {torch.float32: 1e-5, torch.float64: 1e-11}
# The span is cut back to so many times the pairs asked for.
WIDEST = 6


@dataclass(frozen=True)
class RitzSubspace:
    """Orthonormal ``vectors`` (P, m) and their ``images`` H V (P, m)."""

    vectors: Tensor
    images: Tensor

    def ritz(self) -> tuple[Tensor, Tensor]:
        """Ritz values and coordinates, in float64."""
        matrix = inner(self.vectors, self.images)
        values, coordinates = torch.linalg.eigh((matrix + matrix.T) / 2)
        return values, coordinates

    def leading(self, count: int, which: str) -> tuple[Tensor, "RitzSubspace"]:
        """Values and vectors of the leading Ritz pairs."""
        values, coordinates = self.ritz()
        chosen = torch.from_numpy(choose(values.cpu().numpy(), count, which).copy())
        return values[chosen], self.rotated(coordinates[:, chosen])

    def rotated(self, coordinates: Tensor) -> "RitzSubspace":
        """The span of the vectors with these coordinates (m, K), orthonormal."""
        turn = coordinates.to(self.vectors)
        return RitzSubspace(self.vectors @ turn, self.images @ turn)


def ritz_subspace(process: Krylov, count: int, which: str = "magnitude") -> RitzSubspace:
    """What one process knows of the leading eigenvectors."""
    values, coordinates = process.ritz()
    chosen = coordinates[:, choose(values, count + SPARE, which)]
    return RitzSubspace(process.ritz_vectors(chosen), process.images(chosen))


def joined(subspaces: list[RitzSubspace], count: int, which: str = "magnitude") -> RitzSubspace:
    """The leading Ritz vectors of the sum of several spans."""
    vectors = torch.cat([subspace.vectors for subspace in subspaces], dim=1)
    images = torch.cat([subspace.images for subspace in subspaces], dim=1)
    gram = inner(vectors, vectors)
    lengths, turn = torch.linalg.eigh(gram)
    real = lengths > DEPENDENT[vectors.dtype] * lengths.max()
    whole = RitzSubspace(vectors, images).rotated(turn[:, real] / lengths[real].sqrt())
    return whole.leading(count + SPARE, which)[1]


def refine(
    operator: SymmetricOperator,
    subspace: RitzSubspace,
    count: int,
    generator: torch.Generator,
    *,
    processes: int,
    tolerance: float | None = None,
    max_products: int = 300,
    which: str = "magnitude",
) -> Eigenpairs:
    """The leading eigenpairs, from a span that is close to them, each with its residual.

    Spends products only on pairs that are not within ``tolerance`` yet, ``max_products`` at most,
    and one more a pair for the certificate. The span is of so many ``processes``, each of which
    sees an eigenvalue once: where one occurs as often, further copies are looked for.
    """
    check_count(operator, count)
    tolerance = default_tolerance(operator) if tolerance is None else tolerance
    spent = 0
    with track(range(max_products), "top eigenvalues (products at most)") as progress:
        for _ in progress:
            values, top = subspace.leading(count, which)
            residuals = top.images - top.vectors * values.to(top.vectors)
            allowed = 0.5 * tolerance * scale_of(values.abs(), which)
            # An eigenvalue of 0 comes no closer than the products' rounding.
            allowed = allowed.clamp(min=rounding(operator) * float(values.abs().max()))
            errors = norms(residuals)
            missed = torch.nonzero(errors > allowed).flatten()
            if not len(missed) or spent + len(missed) > max_products:
                break
            fresh = _outside(subspace.vectors, residuals[:, missed])
            if not fresh.shape[1]:
                break
            if subspace.vectors.shape[1] + fresh.shape[1] > min(WIDEST * count + 20, operator.size):
                _, subspace = subspace.leading(2 * count + SPARE, which)
                fresh = _outside(subspace.vectors, fresh)
            images = operator.matmat(fresh)
            spent += fresh.shape[1]
            subspace = RitzSubspace(
                torch.cat([subspace.vectors, fresh], dim=1),
                torch.cat([subspace.images, images], dim=1),
            )
    values, top = subspace.leading(count, which)
    found = Known(values.cpu().numpy(), top.vectors, spent)
    if most_copies(found.values, tolerance) >= processes and len(found.values) >= count:
        left = max_products - spent
        found = with_copies(operator, found, count, 0.5 * tolerance, generator, left, which)
    largest = choose(found.values, count, which)
    vectors = found.vectors[:, torch.from_numpy(largest.copy()).to(found.vectors.device)]
    return certify(operator, vectors, tolerance, "lanczos", found.steps, which)


def _outside(basis: Tensor, vectors: Tensor) -> Tensor:
    """An orthonormal basis of the part of ``vectors`` outside ``basis``, both of shape (P, ...)."""
    vectors = unit(vectors)
    for _ in range(2):
        vectors = vectors - basis @ (basis.T @ vectors)
        lengths, turn = torch.linalg.eigh(inner(vectors, vectors))
        real = lengths > DEPENDENT[vectors.dtype]
        vectors = vectors @ (turn[:, real] / lengths[real].sqrt()).to(vectors)
    return vectors
