"""How far an eigenvalue may be from that of all the data, because it was measured on a sample.

For another sample the Hessian is H + D, and an eigenvalue moves by v'Dv to first order. So its
sampling error is that of the mean of v'H_i v over the samples i, which is estimated from the
spread of its means over parts of the sample.
"""

import math
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from landscape.curvature.products import LocalProducts, Request
from landscape.data.batches import Batch
from landscape.objective import Objective

# The spread is taken over at least so many parts, if there are as many samples.
PARTS = 16


def sampling_error(objective: Objective, vector: Tensor, matrix: str = "hessian") -> float:
    """The standard error of v'Hv for a unit vector v of shape (P,), for one more product.

    By the plain module. nan for a single sample.
    """
    parts = list(_parts(objective))
    if len(parts) < 2:
        return math.nan
    quotients, sizes = [], []
    for part in parts:
        products = LocalProducts(objective, matrix=matrix, batches=[part], budget=0)
        (product,) = products([Request(vector.unsqueeze(1))], exact=True)
        quotients.append(vector.double().dot(product.squeeze(1).double()).item())
        sizes.append(part.size)
    shares = np.array(sizes) / sum(sizes)
    # A part of n samples has the variance of one sample divided by n.
    deviations = np.array(quotients) - (shares * quotients).sum()
    variance_of_one = (np.array(sizes) * deviations**2).sum() / (len(parts) - 1)
    return float(math.sqrt(variance_of_one / sum(sizes)))


def _parts(objective: Objective) -> Iterator[Batch]:
    """The batches, in smaller pieces where there are few of them."""
    largest = max(1, objective.num_samples // PARTS)
    for batch in objective.batches:
        step = min(batch.size, largest)
        for start in range(0, batch.size, step):
            yield batch.slice(start, min(start + step, batch.size))
