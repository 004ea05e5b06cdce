"""The sampling error of an eigenvalue: how far it may be from that of all the data.

For another sample the Hessian is H + D, and an eigenvalue moves by v'Dv to first order. So its
sampling error is that of the mean of v'H_i v over the samples i, which is estimated from the
spread of the means over slices of the sample.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from landscape.curvature.products import LocalProducts, ProductRequest
from landscape.data.batches import Batch
from landscape.objective.objective import Objective

# The spread is that of at least so many slices, if there are as many samples.
SLICES = 16


def sampling_errors(
    objective: Objective, vectors: Sequence[ProductRequest], matrix: str = "hessian"
) -> list[float]:
    """The standard errors of v'Hv for several unit vectors v.

    Args:
        objective: the mean loss over the sample.
        vectors: each v, of shape (size, 1), of the whole matrix or of a block. Each costs one more
            product, by the plain module.
        matrix: the curvature matrix H, of ``landscape.curvature.matrices.MATRICES``.

    Returns:
        An error for each v; nan for a single sample, or for a single batch that can't be cut.
    """
    slices = list(sample_slices(objective))
    if len(slices) < 2:
        return [math.nan] * len(vectors)
    quotients, sizes = [], []
    for batch in slices:
        products = LocalProducts(objective, matrix=matrix, batches=[batch], budget=0)
        pairs = zip(vectors, products(vectors, exact=True), strict=True)
        quotients.append([(v.vectors.double() * hv.double()).sum().item() for v, hv in pairs])
        sizes.append(batch.weight)
    weights = np.array(sizes, dtype=np.float64)
    deviations = np.array(quotients) - np.average(quotients, axis=0, weights=weights)
    # Slices that count more vary less: the variance of one is that of a unit of weight over it.
    variance_of_unit = (weights[:, None] * deviations**2).sum(0) / (len(slices) - 1)
    return [float(error) for error in np.sqrt(variance_of_unit / weights.sum())]


def sample_slices(objective: Objective) -> Iterator[Batch]:
    """The batches, in smaller slices where there are few of them and they can be cut."""
    largest = max(1, objective.num_samples // SLICES)
    for batch in objective.batches:
        if batch.is_whole:
            yield batch
            continue
        step = min(batch.size, largest)
        for start in range(0, batch.size, step):
            piece = batch.slice(start, min(start + step, batch.size))
            if piece.weight > 0:
                yield piece
