"""Student's t for differences of means over few runs, and Holm's correction for many of them."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

# Of the runs themselves, and the confidence that intervals are given with.
LEVEL = 0.05


@dataclass(frozen=True)
class MeanEstimate:
    """An estimate of a mean over runs.

    Attributes:
        value: of the mean.
        variance: of the estimate.
        dof: the degrees of freedom of ``variance``; infinite where it is known exactly.
    """

    value: float
    variance: float
    dof: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "MeanEstimate":
        """The mean of two or more values.

        Example:
            >>> MeanEstimate.of([1.0, 3.0])
            MeanEstimate(value=2.0, variance=1.0, dof=1)
        """
        variance = statistics.variance(values) / len(values)
        return cls(statistics.fmean(values), variance, len(values) - 1)


@dataclass(frozen=True)
class Difference:
    """A difference of means with Student's t.

    Attributes:
        value: the second mean minus the first.
        stderr: its standard error.
        dof: degrees of freedom, of Satterthwaite where several variances enter.
        is_paired: whether the runs were compared seed by seed.
    """

    value: float
    stderr: float
    dof: float
    is_paired: bool

    @property
    def t(self) -> float:
        """The difference in standard errors; nan where nothing varies."""
        return self.value / self.stderr if self.stderr > 0 else math.nan

    @property
    def p(self) -> float:
        """The two-sided probability of a t as large where the means are equal; nan without t."""
        return float(2 * stats.t.sf(abs(self.t), self.dof))

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval that holds the true difference in a share 1 - ``level`` of all cases."""
        reach = float(stats.t.ppf(1 - level / 2, self.dof)) * self.stderr
        return self.value - reach, self.value + reach


def difference(
    first: MeanEstimate, second: MeanEstimate, measurement_variance: float = 0.0
) -> Difference:
    """The difference of two independent means (Welch, 1947; Satterthwaite, 1946).

    Args:
        first: the mean that is subtracted.
        second: the other one.
        measurement_variance: of the error of measurement that all runs have in common, such as
            that of a sample; it is added.
    """
    return _difference(
        second.value - first.value, (first, second), measurement_variance, is_paired=False
    )


def paired_difference(
    first: Sequence[float], second: Sequence[float], measurement_variance: float = 0.0
) -> Difference:
    """The mean difference of pairs, two or more of them.

    Args:
        first: the values that are subtracted.
        second: as many, in the same order.
        measurement_variance: as in :func:`difference`.
    """
    mean = MeanEstimate.of([b - a for a, b in zip(first, second, strict=True)])
    return _difference(mean.value, (mean,), measurement_variance, is_paired=True)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values so that all together err with the stated probability (Holm, 1979).

    Args:
        p_values: of any dependence.

    Returns:
        As many, in the same order: each is at most the level where its hypothesis is rejected.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _difference(
    value: float, terms: Sequence[MeanEstimate], measurement_variance: float, *, is_paired: bool
) -> Difference:
    variance = sum(term.variance for term in terms) + measurement_variance
    uncertainty = sum(term.variance**2 / term.dof for term in terms)
    dof = variance**2 / uncertainty if uncertainty > 0 else math.inf
    return Difference(value, math.sqrt(variance), dof, is_paired)
