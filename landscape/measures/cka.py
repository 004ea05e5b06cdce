"""Centred kernel alignment of two sets of features of the same samples.

    CKA(K, L) = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))

with linear kernels K = X X', L = Y Y' (Kornblith et al., ICML 2019). The plain estimator of HSIC
grows with the number of features; the unbiased one (Song et al., JMLR 2012, equation 5; used for
CKA by Nguyen et al., ICLR 2021) does not, and is about 0 for independent features.
"""

import math

import numpy as np
from numpy.typing import NDArray

from landscape.errors import InputError
from landscape.runtime.choices import FEWEST_CKA_SAMPLES

Matrix = NDArray[np.float64]


def centred_gram(features: Matrix) -> Matrix:
    """The kernel X X' of centred features (n, p), divided by its norm, of shape (n, n).

    CKA does not depend on centre and norm. Features without variance give zeros.
    """
    centred = features - features.mean(0)
    gram = centred @ centred.T
    norm = np.linalg.norm(gram)
    return np.asarray(gram / norm if norm > 0 else gram)


def hsic(kernel_x: Matrix, kernel_y: Matrix, *, debiased: bool = True) -> float:
    """The Hilbert-Schmidt independence criterion of two kernels, up to a factor.

    Args:
        kernel_x: the kernel K of shape (n, n).
        kernel_y: the kernel L of the same shape and samples.
        debiased: whether to use the unbiased estimator, which divides by n - 3.

    Raises:
        InputError: for fewer than four samples, which have no unbiased estimate.
    """
    count = len(kernel_x)
    if not debiased:
        return float((_centred(kernel_x) * _centred(kernel_y)).sum())
    if count < FEWEST_CKA_SAMPLES:
        raise InputError(f"CKA needs at least {FEWEST_CKA_SAMPLES} samples, got {count}")
    k, l = (kernel - np.diag(np.diag(kernel)) for kernel in (kernel_x, kernel_y))  # noqa: E741
    rows, columns = k.sum(0), l.sum(0)
    cross = rows.sum() * columns.sum() / ((count - 1) * (count - 2))
    return float((k * l).sum() + cross - 2 * (rows @ columns) / (count - 2))


def cka(kernel_x: Matrix, kernel_y: Matrix, *, debiased: bool = True) -> float:
    """The centred kernel alignment of two kernels.

    Args:
        kernel_x: the kernel K of shape (n, n), such as :func:`centred_gram` gives.
        kernel_y: the kernel L of the same shape and samples.
        debiased: whether to use the unbiased estimator of HSIC.

    Returns:
        CKA, at most 1; the unbiased estimate may be slightly negative. nan where a kernel has no
        variance.

    Raises:
        InputError: for fewer than four samples, which have no unbiased estimate.

    Example:
        The similarity of two layers' features for the same samples::

            cka(centred_gram(first_features), centred_gram(second_features))
    """
    norms = hsic(kernel_x, kernel_x, debiased=debiased) * hsic(
        kernel_y, kernel_y, debiased=debiased
    )
    if not norms > 0:
        return math.nan
    return hsic(kernel_x, kernel_y, debiased=debiased) / math.sqrt(norms)


def cka_error(kernel_x: Matrix, kernel_y: Matrix, *, groups: int = 10) -> float:
    """The standard error of the unbiased CKA over samples, by a jackknife over ``groups``.

    It is nan for too few samples.
    """
    count = len(kernel_x)
    groups = min(groups, count)
    if count - math.ceil(count / groups) < FEWEST_CKA_SAMPLES:
        return math.nan
    values = []
    for members in np.array_split(np.arange(count), groups):
        kept = np.setdiff1d(np.arange(count), members)
        values.append(cka(kernel_x[np.ix_(kept, kept)], kernel_y[np.ix_(kept, kept)]))
    return float(np.sqrt((groups - 1) * np.var(values)))


def _centred(kernel: Matrix) -> Matrix:
    rows = kernel.mean(0)
    return np.asarray(kernel - rows - rows[:, None] + kernel.mean())
