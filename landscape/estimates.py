"""Means with their standard errors, degrees of freedom and intervals."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# The share of normal numbers within one standard deviation of their mean.
ONE_ERROR = math.erf(math.sqrt(0.5))


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, and how well that is known.

    Attributes:
        value: the number.
        stderr: its standard error; nan where none is known, as of a single sample.
        dof: the degrees of freedom of the standard error, n - 1 for the mean of n samples;
            infinite where it is not from a finite count, 0 for a single sample.

    Example:
        >>> Estimate.of([1.0, 4.0, 2.0, 7.0])
        Estimate(value=3.5, stderr=1.3228756555322954, dof=3.0)
    """

    value: float
    stderr: float
    dof: float = math.inf

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
        values = np.asarray(samples).reshape(-1)
        mean, stderr = mean_and_stderr(values)
        return cls(float(mean) + offset, float(stderr), float(len(values) - 1))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The interval of Student's t around the value, which holds the truth in ``level`` of all.

        Args:
            level: the probability, between 0 and 1.

        Returns:
            The ends; nan where there is no standard error or no degree of freedom, and the value
            itself where the standard error is 0.

        Example:
            >>> low, high = Estimate.of([1.0, 4.0, 2.0, 7.0]).interval(0.95)
            >>> round(low, 2), round(high, 2)
            (-0.71, 7.71)
        """
        if self.stderr == 0:
            return self.value, self.value
        half = float(half_width(self.stderr, self.dof, level))
        return self.value - half, self.value + half


@dataclass(frozen=True)
class GeometricMean(Estimate):
    """The geometric mean of positive numbers that spread by factors, such as condition numbers.

    Few of such numbers hold most of their sum, so that an arithmetic mean of a few has no error to
    rely on; their logarithms do. The interval is that of Student's t for the mean logarithm.

    Example:
        >>> mean = GeometricMean.of([10.0, 100.0, 1000.0])
        >>> low, high = mean.interval(0.95)
        >>> round(mean.value), round(low, 2), round(high)
        (100, 0.33, 30489)
    """

    @classmethod
    def of(cls, samples: ArrayLike, offset: float = 0.0) -> "GeometricMean":
        """The geometric mean of independent positive samples.

        Args:
            samples: at least one number above 0, of shape (n,).
            offset: added to each, before the mean.

        Returns:
            The mean; its ``stderr`` is the value times the standard error of the mean logarithm.
        """
        logarithms = Estimate.of(np.log(np.asarray(samples, dtype=np.float64) + offset))
        value = math.exp(logarithms.value)
        return cls(value, value * logarithms.stderr, logarithms.dof)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The interval of the mean logarithm; the arguments are those of the base class."""
        if self.stderr == 0:
            return self.value, self.value
        # Beyond the largest float the end is infinite, of which the exponential would be an error.
        with np.errstate(over="ignore"):
            factor = float(np.exp(half_width(self.stderr / self.value, self.dof, level)))
        return self.value / factor, self.value * factor


@dataclass(frozen=True)
class Proportion(Estimate):
    """The mean of numbers between 0 and 1, such as a share of right answers.

    Its interval is Wilson's, which lies within 0 and 1 and does not shrink to nothing where none or
    all of the answers are right.

    Example:
        >>> perfect = Proportion.of([True] * 40)
        >>> perfect.value, perfect.stderr
        (1.0, 0.025)
        >>> low, high = perfect.interval(0.95)
        >>> round(low, 3), high
        (0.912, 1.0)
    """

    @classmethod
    def of(cls, samples: ArrayLike, offset: float = 0.0) -> "Proportion":
        """The mean of independent samples between 0 and 1.

        Args:
            samples: at least one number, of shape (n,).
            offset: added to each, before the mean.

        Returns:
            The proportion p. Of yes and no its ``stderr`` is the binomial sqrt(p (1 - p) / n);
            else it is from the spread of the samples, with n - 1 degrees of freedom. Where p is 0
            or 1 it is 1 / n, about what one other answer would give.
        """
        values = np.asarray(samples, dtype=np.float64).reshape(-1) + offset
        count, mean = len(values), float(values.mean())
        if mean in (0.0, 1.0):
            return cls(mean, 1 / count)
        if ((values == 0) | (values == 1)).all():
            return cls(mean, math.sqrt(mean * (1 - mean) / count))
        return cls(mean, float(mean_and_stderr(values)[1]), float(count - 1))

    @property
    def effective_count(self) -> float:
        """How many independent yes-or-no answers have this error: n itself where it is of such."""
        if not self.stderr > 0:
            return math.nan if math.isnan(self.stderr) else math.inf
        # Not by the square, which is 0 or infinite for extreme errors.
        return (self.value * (1 - self.value) or self.stderr) / self.stderr / self.stderr

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Wilson's interval (1927), of the effective count where the samples are not yes or no.

        Args:
            level: the probability, between 0 and 1.

        Returns:
            The ends, within 0 and 1; nan where there is no error.
        """
        if self.stderr == 0:
            return self.value, self.value
        square = float(t_quantile((1 + level) / 2, self.dof)) ** 2
        count, p = self.effective_count, self.value
        if count == 0:  # the error is so large that nothing is known
            return 0.0, 1.0
        centre = (p + square / (2 * count)) / (1 + square / count)
        root = math.sqrt(square * (p * (1 - p) + square / (4 * count)) / count)
        half = root / (1 + square / count)
        low = 0.0 if p == 0 else max(centre - half, 0.0)
        high = 1.0 if p == 1 else min(centre + half, 1.0)
        return (low, high) if math.isfinite(half) else (math.nan, math.nan)


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


def intervals(estimates: Iterable[Estimate], level: float = ONE_ERROR) -> NDArray[np.float64]:
    """The intervals of several estimates, for the bands and bars of pictures.

    Args:
        estimates: n of them.
        level: as in :func:`half_width`.

    Returns:
        The lower and the upper ends, of shape (2, n); nan without an error.
    """
    return np.array([estimate.interval(level) for estimate in estimates]).reshape(-1, 2).T


def half_width(stderr: ArrayLike, dof: ArrayLike, level: float = ONE_ERROR) -> NDArray[np.float64]:
    """Half of the width of intervals of Student's t, for the bands and bars of pictures.

    Args:
        stderr: standard errors, of any shape.
        dof: their degrees of freedom.
        level: the probability that an interval holds the truth; by default that of one standard
            error of a normal number, 68.3 %.

    Returns:
        The half widths, of the shape that the arguments have together; nan without an error.
    """
    errors, quantiles = np.asarray(stderr, np.float64), t_quantile((1 + level) / 2, dof)
    return np.where(errors == 0, 0.0, errors * quantiles)


def t_quantile(probability: ArrayLike, dof: ArrayLike) -> NDArray[np.float64]:
    """Quantiles of Student's t distribution, of the normal one for infinite degrees of freedom.

    Args:
        probability: below which a number lies, between 0 and 1.
        dof: the degrees of freedom, which need not be whole.

    Returns:
        The quantiles, of the shape that the arguments have together; nan where there is no degree
        of freedom.
    """
    from scipy.special import ndtri, stdtrit  # the commands show their help without it

    probability, dof = np.broadcast_arrays(
        np.asarray(probability, np.float64), np.asarray(dof, np.float64)
    )
    finite = np.where((dof > 0) & (dof < math.inf), dof, math.nan)
    quantiles = np.where(dof == math.inf, ndtri(probability), stdtrit(finite, probability))
    return np.asarray(quantiles, dtype=np.float64)


def combined_dof(variances: Sequence[float], dofs: Sequence[float]) -> float:
    """The degrees of freedom of a sum of independent variances, by Welch and Satterthwaite.

    Args:
        variances: each part of the variance of a number, its squared standard error; negative
            where it is subtracted.
        dofs: the degrees of freedom of each.

    Returns:
        The degrees of freedom of the sum (Satterthwaite, Biometrics Bulletin 2, 1946), infinite
        where no part with a finite number varies; nan where a part is not known.

    Example:
        >>> combined_dof([2.0, 2.0], [5.0, 5.0])
        10.0
    """
    terms = [(variance, dof) for variance, dof in zip(variances, dofs, strict=True) if variance]
    total = sum(variance for variance, _ in terms)
    if math.isnan(total) or any(not dof > 0 for _, dof in terms):
        return math.nan
    # As shares of the total, whose squares don't underflow.
    spread = sum((variance / total) ** 2 / dof for variance, dof in terms)
    return 1 / spread if spread else math.inf
