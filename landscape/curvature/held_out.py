"""The largest eigenvalue of all the data, enclosed between two numbers of a sample.

lambda_max of a sample's mean Hessian is biased upwards: the maximum over directions is a convex
function of the matrix, so its mean over samples is at least the maximum of the mean (Jensen). The
eigenvector has adapted to the sample. Where it is taken from one half of the sample and its
Rayleigh quotient from the other half, nothing has adapted: the quotient's mean is v'Hv with the
Hessian H of all the data, which is at most lambda_max(H). So in the mean

    held-out quotient  <=  lambda_max of all the data  <=  lambda_max of the sample.

Both halves take both parts, which makes two quotients. The eigenvalues of the halves also say how
the upward bias falls with the number of samples: to first order as its inverse, so twice that of
the whole less that of a half is free of it (Quenouille's jackknife).
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest, Products
from landscape.curvature.sampling import rayleigh_quotients
from landscape.data.batches import Batch
from landscape.eigen.eigenpairs import WITH_ENDS
from landscape.eigen.lanczos import lanczos
from landscape.errors import NotMeasurableError
from landscape.estimates import Estimate, combined_dof
from landscape.objective.objective import Objective

# Makes the products over a half, of this number; None in a process that only serves another.
Share = Callable[[Sequence[Batch], int], AbstractContextManager[Products | None]]


@dataclass(frozen=True)
class HeldOut:
    """The largest eigenvalue of each half of a sample, and what the other half says of its vector.

    Attributes:
        eigenvalues: the largest of each half, shape (2,) like all that follow.
        residuals: their residuals, relative to their magnitude.
        converged: whether the residuals are within the tolerance.
        quotients: the Rayleigh quotient of each half's eigenvector with the other half's matrix.
        errors: the sampling errors of the quotients; nan where a half is one sample, or one
            batch that can't be cut.
        dof: the degrees of freedom of the errors.
        products: how many products there were, each over half the sample.
    """

    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    quotients: NDArray[np.float64]
    errors: NDArray[np.float64]
    dof: NDArray[np.float64]
    products: int

    @property
    def lower(self) -> Estimate:
        """The mean of the quotients, in the mean at most the largest eigenvalue of all the data.

        To first order each error is that of the half that makes the matrix, so the two are
        independent.
        """
        dof = combined_dof((self.errors**2).tolist(), self.dof.tolist())
        return Estimate(float(self.quotients.mean()), math.hypot(*self.errors) / 2, dof)

    def extrapolated(self, eigenvalue: float) -> float:
        """The largest eigenvalue of the sample without the part of its bias that falls as 1 / n.

        Args:
            eigenvalue: that of the whole sample. To first order this has the same sampling error.
        """
        return 2 * eigenvalue - float(self.eigenvalues.mean())


def held_out(
    objective: Objective,
    generator: torch.Generator,
    *,
    matrix: str = "hessian",
    shift: float = 0.0,
    tolerance: float | None = None,
    max_steps: int = 300,
    share: Share | None = None,
) -> HeldOut | None:
    """The largest eigenvalue of each random half of the sample, with the other half's quotient.

    Args:
        objective: the mean loss over the sample.
        generator: the source of the halves and of the random starts.
        matrix: the curvature matrix, of ``landscape.curvature.matrices.MATRICES``.
        shift: lambda of an L2 term lambda/2 ||theta||^2 that is added to the loss.
        tolerance: of the eigenvalues' relative residuals, by default 1e-4, or 1e-6 in float64.
        max_steps: the largest number of products over each half before the certificates.
        share: makes the products over a half; by default this process alone.

    Returns:
        What both halves say; None in a process that only serves another one.

    Raises:
        NotMeasurableError: the sample does not make two halves.

    Example:
        >>> halves = held_out(objective, torch.Generator().manual_seed(0))
        >>> halves.eigenvalues.shape, halves.lower.stderr > 0
        ((2,), True)
    """
    batches_of_halves = halves(objective.batches, generator)
    pairs, products = [], 0
    for number, half in enumerate(batches_of_halves):
        local = nullcontext(LocalProducts(objective, matrix=matrix, batches=half))
        with local if share is None else share(half, number) as answer:
            if answer is None:
                continue
            operator = CurvatureOperator(objective, shift=shift, answer=answer)
            eigenpairs = lanczos(
                operator,
                1,
                generator,
                tolerance=tolerance,
                max_steps=max_steps,
                # Its own gradient: nothing of the other half may enter the vector.
                hint=answer.gradient() + shift * objective.theta,
                which=WITH_ENDS,
                multiplicity=False,
            )
            pairs.append(eigenpairs.ends.select([0]))
            products += operator.products
    if not pairs:
        return None
    quotients = [
        rayleigh_quotients(objective, [ProductRequest(pair.vectors)], other, matrix)[0]
        for pair, other in zip(pairs, reversed(batches_of_halves), strict=True)
    ]
    return HeldOut(
        eigenvalues=np.array([pair.eigenvalues.item() for pair in pairs]),
        residuals=np.array([pair.residuals.item() for pair in pairs]),
        converged=np.array([pair.converged.item() for pair in pairs]),
        quotients=np.array([quotient.value + shift for quotient in quotients]),
        errors=np.array([quotient.stderr for quotient in quotients]),
        dof=np.array([quotient.dof for quotient in quotients]),
        products=products + len(quotients),
    )


def halves(batches: Sequence[Batch], generator: torch.Generator) -> tuple[list[Batch], list[Batch]]:
    """Two random halves of the samples, or of the batches where these can't be cut.

    Raises:
        NotMeasurableError: nothing that counts is left for one of them.
    """
    both: tuple[list[Batch], list[Batch]] = ([], [])
    whole = [batch for batch in batches if batch.is_whole]
    for place, number in enumerate(torch.randperm(len(whole), generator=generator).tolist()):
        both[place % 2].append(whole[number])
    odd = 0  # an odd sample goes to the one half and to the other in turn
    for batch in batches:
        if batch.is_whole:
            continue
        order = torch.randperm(batch.size, generator=generator)
        middle = (batch.size + odd) // 2
        odd ^= batch.size % 2
        for half, chosen in zip(both, (order[:middle], order[middle:]), strict=True):
            if len(chosen):
                half.append(batch.take(chosen.sort().values))
    counted = tuple([batch for batch in half if batch.weight > 0] for half in both)
    if not all(counted):
        raise NotMeasurableError(
            f"--held-out needs two halves of the sample, and its {len(batches)} "
            f"batch{'' if len(batches) == 1 else 'es'} of "
            f"{sum(batch.size for batch in batches)} samples can't be halved; take more samples, "
            "or leave it out"
        )
    return counted[0], counted[1]
