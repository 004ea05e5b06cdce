"""The sampling error of a mean over samples, from the means over slices of them."""

import numpy as np


def slice_error(values, batch_sizes, slices=16):
    """The standard error of the mean of ``values``, and its degrees of freedom.

    Batches are cut into pieces of a sixteenth of the sample, the last of each batch being smaller.
    Slices vary inversely to their sizes.
    """
    length = len(values) // slices
    pieces, start = [], 0
    for size in batch_sizes:
        batch = values[start : start + size]
        pieces += [batch[k : k + length] for k in range(0, size, length)]
        start += size
    sizes = np.array([len(piece) for piece in pieces])
    means = np.array([piece.mean() for piece in pieces])
    variance = sizes @ (means - values.mean()) ** 2 / (len(pieces) - 1)
    return np.sqrt(variance / len(values)), len(pieces) - 1
