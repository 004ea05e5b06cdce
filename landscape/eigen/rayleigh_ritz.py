"""The leading eigenpairs from the Lanczos processes of a spectral density.

The bases of these processes contain the leading eigenvectors, each to its own accuracy, and several
processes see several eigenvectors of a repeated eigenvalue. The Rayleigh-Ritz procedure gets the
best from all of them together: H is diagonalised in the span of their Ritz vectors. That takes no
product, since H times a Ritz vector is known. Pairs that are not yet good enough are improved by
adding their residuals to the subspace (Davidson, J. Comput. Phys. 17, 1975, without a
preconditioner; for one process it is thick-restart Lanczos).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.eigen.eigenpairs import (
    LESS_STEPS,
    SEARCH_SHARE,
    Eigenpairs,
    certify,
    check_count,
    choose,
    default_tolerance,
    is_iterated,
    rounding,
    scale_of,
)
from landscape.eigen.joint_certificate import JointCertificate, certify_jointly
from landscape.eigen.krylov import Krylov
from landscape.eigen.multiplicity import RitzPairs, highest_multiplicity, with_hidden_pairs
from landscape.eigen.operator import SymmetricOperator, random_vector
from landscape.eigen.sums import inner, norms, unit
from landscape.runtime.progress import track

# How many Ritz vectors beyond those asked for each process contributes.
SPARE = 4
# Directions of a joint span whose squared length is below this share are rounding.
DEPENDENT = {torch.float32: 1e-5, torch.float64: 1e-11}
# The subspace is cut back when it has about so many times the pairs asked for.
WIDEST = 6


@dataclass(frozen=True)
class RitzSubspace:
    """A subspace with orthonormal ``vectors`` V (P, m) and their ``images`` H V (P, m).

    ``wide`` has more Ritz vectors of the same processes, to fewer digits, where they were asked
    for.
    """

    vectors: Tensor
    images: Tensor
    wide: "RitzSubspace | None" = None

    @classmethod
    def of(cls, pairs: Eigenpairs) -> "RitzSubspace":
        """That of eigenvectors, whose images are taken for exact."""
        return cls(pairs.vectors, pairs.vectors * pairs.eigenvalues.to(pairs.vectors))

    def ritz(self) -> tuple[Tensor, Tensor]:
        """Ritz values (m,) and the coordinates (m, m) of Ritz vectors, in float64."""
        matrix = inner(self.vectors, self.images)
        values, coordinates = torch.linalg.eigh((matrix + matrix.T) / 2)
        return values, coordinates

    def leading(self, count: int, which: str) -> tuple[Tensor, "RitzSubspace"]:
        """The leading Ritz values, and the subspace of their Ritz vectors."""
        values, coordinates = self.ritz()
        chosen = torch.from_numpy(choose(values.cpu().numpy(), count, which).copy())
        return values[chosen], self.rotated(coordinates[:, chosen])

    def rotated(self, coordinates: Tensor) -> "RitzSubspace":
        """The subspace of the vectors with these orthonormal coordinates (m, K)."""
        rotation = coordinates.to(self.vectors)
        return RitzSubspace(self.vectors @ rotation, self.images @ rotation)


def ritz_subspace(process: Krylov, count: int, which: str = "magnitude") -> RitzSubspace:
    """The leading Ritz vectors of one process, some more than ``count``."""
    values, coordinates = process.ritz()
    chosen = coordinates[:, choose(values, count + SPARE, which)]
    return RitzSubspace(process.ritz_vectors(chosen), process.images(chosen))


def joined(subspaces: list[RitzSubspace], count: int, which: str = "magnitude") -> RitzSubspace:
    """The leading Ritz vectors of the sum of several subspaces, some more than ``count``."""
    vectors = torch.cat([subspace.vectors for subspace in subspaces], dim=1)
    images = torch.cat([subspace.images for subspace in subspaces], dim=1)
    gram = inner(vectors, vectors)
    lengths, rotation = torch.linalg.eigh(gram)
    kept = lengths > DEPENDENT[vectors.dtype] * lengths.max()
    whole = RitzSubspace(vectors, images).rotated(rotation[:, kept] / lengths[kept].sqrt())
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
    """The leading eigenpairs from a subspace that is close to them, each with its residual.

    Products are spent only on pairs that are not within ``tolerance`` yet.

    Args:
        operator: the matrix H.
        subspace: what :func:`landscape.eigen.quadrature.stochastic_lanczos` returns.
        count: how many pairs, from each end of the spectrum for ``which`` = ``ends``.
        generator: the source of random starts.
        processes: of how many Lanczos processes the subspace comes. Each sees an eigenvalue once,
            so where one has been found as often, hidden eigenpairs are looked for
            (:mod:`landscape.eigen.multiplicity`).
        tolerance: of the relative residuals, by default 1e-4, or 1e-6 in float64.
        max_products: the largest number of products before the certificates, which take one more
            for each pair.
        which: ``magnitude``, ``ends`` or ``magnitude with ends``, as for
            :func:`landscape.eigen.lanczos.lanczos`.

    Returns:
        The pairs, largest magnitude first.

    Raises:
        InputError: there are not that many eigenvalues.
    """
    check_count(operator, count)
    tolerance = default_tolerance(operator) if tolerance is None else tolerance
    width = subspace.vectors.shape[1]
    fewest = min(2 * count if which == "ends" else count, operator.size)
    subspace = _filled(operator, subspace, fewest, generator)
    spent = subspace.vectors.shape[1] - width
    with track(
        range(max_products), "top eigenvalues (products at most)", less=LESS_STEPS
    ) as progress:
        for _ in progress:
            values, top = subspace.leading(count, which)
            residuals = top.images - top.vectors * values.to(top.vectors)
            allowed = SEARCH_SHARE * tolerance * scale_of(values.abs(), which, count)
            # An eigenvalue of 0 comes no closer than the products' rounding.
            allowed = allowed.clamp(min=rounding(operator) * float(values.abs().max()))
            errors = norms(residuals)
            iterated = torch.from_numpy(is_iterated(values.cpu().numpy(), count, which))
            missed = torch.nonzero((errors > allowed) & iterated.to(errors.device)).flatten()
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
    pairs = RitzPairs(values.cpu().numpy(), top.vectors, spent)
    if highest_multiplicity(pairs.values, tolerance) >= processes and len(pairs.values) >= count:
        left = max_products - spent
        pairs = with_hidden_pairs(
            operator, pairs, count, SEARCH_SHARE * tolerance, generator, left, which
        )
    leading = choose(pairs.values, count, which)
    vectors = pairs.vectors[:, torch.from_numpy(leading.copy()).to(pairs.vectors.device)]
    if len(pairs.values) > len(values):  # of hidden pairs no images are known
        return certify(operator, vectors, tolerance, "lanczos", pairs.steps, which, count)
    images = top.images[:, torch.from_numpy(leading.copy()).to(top.images.device)]
    joint = JointCertificate(vectors, images, generator, tolerance, which, count)
    return certify_jointly(operator, joint, "lanczos", pairs.steps)


def _filled(
    operator: SymmetricOperator, subspace: RitzSubspace, width: int, generator: torch.Generator
) -> RitzSubspace:
    """The subspace with random directions, where it has fewer than ``width``."""
    while (lacking := width - subspace.vectors.shape[1]) > 0:
        draws = [random_vector(operator, generator) for _ in range(lacking)]
        fresh = _outside(subspace.vectors, torch.stack(draws, dim=1))
        subspace = RitzSubspace(
            torch.cat([subspace.vectors, fresh], dim=1),
            torch.cat([subspace.images, operator.matmat(fresh)], dim=1),
        )
    return subspace


def _outside(basis: Tensor, vectors: Tensor) -> Tensor:
    """An orthonormal basis of the part of ``vectors`` (P, K) outside ``basis`` (P, m)."""
    vectors = unit(vectors)
    for _ in range(2):
        vectors = vectors - basis @ (basis.T @ vectors)
        lengths, rotation = torch.linalg.eigh(inner(vectors, vectors))
        kept = lengths > DEPENDENT[vectors.dtype]
        vectors = vectors @ (rotation[:, kept] / lengths[kept].sqrt()).to(vectors)
    return vectors
