"""Means with their standard errors."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Estimate:
    """A mean of independent samples and its standard error, which is nan for a single sample.

    Example:
        >>> Estimate.of([1.0, 4.0, 2.0, 7.0])
        Estimate(value=3.5, stderr=1.3228756555322954)
    """

    value: float
    stderr: float

    @classmethod
    def of(cls, samples: ArrayLike, offset: float = 0.0) -> "Estimate":
        """The mean of independent samples plus a number that has no error.

        Args:
            samples: at least one number, of shape (n,); taken as float64.
            offset: what is known exactly, added to the mean.

        Returns:
            The estimate; its ``stderr`` is the sample deviation (n - 1 in the denominator) over
            the square root of n.
        """
        mean, stderr = mean_and_stderr(np.asarray(samples).reshape(-1))
        return cls(float(mean) + offset, float(stderr))


def mean_and_stderr(
    samples: ArrayLike, axis: int = -1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means along an axis of independent samples, and their standard errors.

    Args:
        samples: an array of any shape, with at least one sample along ``axis``; taken as float64.
        axis: the axis that counts the samples.

    Returns:
        Two arrays of the shape of ``samples`` without ``axis``. The standard errors are nan where
        there is a single sample.
    """
    values = np.asarray(samples, dtype=np.float64)
    count = values.shape[axis]
    mean = np.asarray(values.mean(axis))
    if count == 1:
        return mean, np.full(mean.shape, math.nan)
    return mean, np.asarray(values.std(axis, ddof=1) / math.sqrt(count))
