"""The sampling error of an eigenvalue: how far it may be from that of all the data.

For another sample the Hessian is H + D, and an eigenvalue moves by v'Dv to first order. So its
sampling error is that of the mean of v'H_i v over the samples i, which is estimated from the
spread of the means over slices of the sample.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from landscape.curvature.products import LocalProducts, ProductRequest
from landscape.data.batches import Batch
from landscape.estimates import Estimate
from landscape.objective.objective import Objective

# The spread is that of at least so many slices, if there are as many samples.
SLICES = 16


def sampling_errors(
    objective: Objective,
    vectors: Sequence[ProductRequest],
    matrix: str = "hessian",
    theta: Tensor | None = None,
) -> list[float]:
    """The standard errors of v'Hv for several unit vectors v.

    Args:
        objective: the mean loss over the sample.
        vectors: each v, of shape (size, 1), of the whole matrix or of a block. Each costs one more
            product, by the plain module.
        matrix: the curvature matrix H, of ``landscape.curvature.matrices.MATRICES``.
        theta: the weights, of shape (P,); by default the objective's own.

    Returns:
        An error for each v; nan for a single sample, or for a single batch that can't be cut.
    """
    if len(list(sample_slices(objective.batches))) < 2:
        return [math.nan] * len(vectors)
    quotients = rayleigh_quotients(objective, vectors, objective.batches, matrix, theta)
    return [quotient.stderr for quotient in quotients]


def rayleigh_quotients(
    objective: Objective,
    vectors: Sequence[ProductRequest],
    batches: Sequence[Batch],
    matrix: str = "hessian",
    theta: Tensor | None = None,
) -> list[Estimate]:
    """v'Hv over some batches, and its sampling error, for several unit vectors v.

    Arguments are those of :func:`sampling_errors`; H is the matrix of the mean loss over
    ``batches``.

    Returns:
        An estimate for each v; its error is nan for a single slice.
    """
    quotients, sizes = [], []
    for batch in sample_slices(batches):
        products = LocalProducts(objective, theta, matrix=matrix, batches=[batch], budget=0)
        pairs = zip(vectors, products(vectors, exact=True), strict=True)
        quotients.append([(v.vectors.double() * hv.double()).sum().item() for v, hv in pairs])
        sizes.append(batch.weight)
    weights = np.array(sizes, dtype=np.float64)
    means = np.average(quotients, axis=0, weights=weights)
    errors = np.full(len(means), math.nan)
    if len(weights) > 1:
        # Slices that count more vary less: the variance of one is that of a unit of weight over it.
        squares = (weights[:, None] * (np.array(quotients) - means) ** 2).sum(0)
        errors = np.sqrt(squares / (len(weights) - 1) / weights.sum())
    dof = float(len(weights) - 1)
    return [
        Estimate(float(mean), float(error), dof) for mean, error in zip(means, errors, strict=True)
    ]


def sample_slices(batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches, in smaller slices where there are few of them and they can be cut."""
    largest = max(1, sum(batch.size for batch in batches) // SLICES)
    for batch in batches:
        if batch.is_whole:
            yield batch
            continue
        step = min(batch.size, largest)
        for start in range(0, batch.size, step):
            piece = batch.slice(start, min(start + step, batch.size))
            if piece.weight > 0:
                yield piece
