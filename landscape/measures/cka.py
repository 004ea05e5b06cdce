"""Centred kernel alignment of two sets of features of the same samples.

    CKA(K, L) = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))

with linear kernels K = X X', L = Y Y' (Kornblith et al., ICML 2019). The plain estimator of HSIC
grows with the number of features; the unbiased one (Song et al., JMLR 2012, equation 5; used for
CKA by Nguyen et al., ICLR 2021) does not, and is around 0 for features that are independent.
"""

import math

import numpy as np
from numpy.typing import NDArray

from landscape.errors import InputError
from landscape.runtime.choices import FEWEST_CKA_SAMPLES

Matrix = NDArray[np.float64]

# The unbiased estimator divides by n - 3.


def centred_gram(features: Matrix) -> Matrix:
    """X X' of centred features (n, p), divided by its norm, of shape (n, n); zeros without spread.

    CKA takes no notice of centre and norm.
    """
    centred = features - features.mean(0)
    gram = centred @ centred.T
    norm = np.linalg.norm(gram)
    return np.asarray(gram / norm if norm > 0 else gram)


def hsic(one: Matrix, other: Matrix, *, debiased: bool = True) -> float:
    """The Hilbert-Schmidt independence criterion of two kernels of shape (n, n), up to a factor.

    Raises InputError for fewer than four samples, which have no unbiased estimate.
    """
    count = len(one)
    if not debiased:
        return float((_centred(one) * _centred(other)).sum())
    if count < FEWEST_CKA_SAMPLES:
        raise InputError(f"CKA needs at least {FEWEST_CKA_SAMPLES} samples, got {count}")
    k, l = (kernel - np.diag(np.diag(kernel)) for kernel in (one, other))  # noqa: E741
    rows, columns = k.sum(0), l.sum(0)
    cross = rows.sum() * columns.sum() / ((count - 1) * (count - 2))
    return float((k * l).sum() + cross - 2 * (rows @ columns) / (count - 2))


def cka(one: Matrix, other: Matrix, *, debiased: bool = True) -> float:
    """CKA of two kernels of shape (n, n); nan where one of them has no spread.

    At most 1; the unbiased estimate may be a little below 0.
    """
    own = hsic(one, one, debiased=debiased) * hsic(other, other, debiased=debiased)
    if not own > 0:
        return math.nan
    return hsic(one, other, debiased=debiased) / math.sqrt(own)


def cka_error(one: Matrix, other: Matrix, *, groups: int = 10) -> float:
    """The standard error of the unbiased CKA over samples, by a jackknife over ``groups``.

    nan for too few samples.
    """
    count = len(one)
    groups = min(groups, count)
    if count - math.ceil(count / groups) < FEWEST_CKA_SAMPLES:
        return math.nan
    values = []
    for members in np.array_split(np.arange(count), groups):
        kept = np.setdiff1d(np.arange(count), members)
        values.append(cka(one[np.ix_(kept, kept)], other[np.ix_(kept, kept)]))
    return float(np.sqrt((groups - 1) * np.var(values)))


def _centred(kernel: Matrix) -> Matrix:
    rows = kernel.mean(0)
    return np.asarray(kernel - rows - rows[:, None] + kernel.mean())
