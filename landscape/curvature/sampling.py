"""How far an eigenvalue may be from that of all the data, because it was measured on a sample.

For another sample the Hessian is H + D, and an eigenvalue moves by v'Dv to first order. So its
sampling error is that of the mean of v'H_i v over the samples i, which is estimated from the
spread of its means over parts of the sample.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from landscape.curvature.products import LocalProducts, ProductRequest
from landscape.data.batches import Batch
from landscape.objective.objective import Objective

# The spread is taken over at least so many parts, if there are as many samples.
PARTS = 16


def sampling_errors(
    objective: Objective, vectors: Sequence[ProductRequest], matrix: str = "hessian"
) -> list[float]:
    """The standard errors of v'Hv for unit vectors v, each of the whole matrix or of a block.

    Costs one more product of each, by the plain module. nan for a single sample.
    """
    parts = list(_parts(objective))
    if len(parts) < 2:
        return [math.nan] * len(vectors)
    quotients, sizes = [], []
    for part in parts:
        products = LocalProducts(objective, matrix=matrix, batches=[part], budget=0)
        found = products(vectors, exact=True)
        pairs = zip(vectors, found, strict=True)
        quotients.append([(one.vectors.double() * hv.double()).sum().item() for one, hv in pairs])
        sizes.append(part.size)
    weights = np.array(sizes, dtype=np.float64)
    deviations = np.array(quotients) - np.average(quotients, axis=0, weights=weights)
    # A part of n samples has the variance of one sample divided by n.
    variance_of_one = (weights[:, None] * deviations**2).sum(0) / (len(parts) - 1)
    return [float(error) for error in np.sqrt(variance_of_one / weights.sum())]


def _parts(objective: Objective) -> Iterator[Batch]:
    """The batches, in smaller pieces where there are few of them."""
    largest = max(1, objective.num_samples // PARTS)
    for batch in objective.batches:
        step = min(batch.size, largest)
        for start in range(0, batch.size, step):
            yield batch.slice(start, min(start + step, batch.size))
