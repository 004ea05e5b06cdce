"""Two methods compared by a number of several runs each.

With several runs of each, Student's t decides, over pairs of one seed where both have the same
seeds and after Welch where they don't. The error of measurement enters in full: all runs were
measured on one sample, so it does not average out. Positive scales, such as curvatures and norms,
are compared by their logarithms.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from analyses.drawing.numbers import number
from analyses.report.paper.inference import (
    LEVEL,
    Difference,
    MeanEstimate,
    difference,
    paired_difference,
)
from analyses.report.paper.measurements import Measurement, measure_over_runs
from analyses.report.paper.shared_samples import PerSample, mean_over_runs
from analyses.report.paper.subjects import Network, Run

VERDICTS = ("supports", "contradicts", "can't decide")
ONE_RUN = "can't decide from one run of each"
ONE_RUN_OF = "can't decide from one run of"
NO_SPREAD = "the runs don't differ at all"
NOT_FINITE = "a number is not finite"
ONE_DRAW = "it is of a single initial network"
NO_ERROR = "its error of measurement is not known"

# Numbers that are never negative, of which ratios say more than differences.
POSITIVE_SCALES = frozenset(
    {
        "sharpness",
        "kappa",
        "weight_norm",
        "first_activation",
        "middle_activation",
        "last_activation",
        "embedding",
        "mixing",
        "mlp",
        "first_block",
        "middle_block",
        "last_block",
    }
)

# What tells which runs of two networks belong together; None for a run that has no partner.
Key = Callable[[Run], Hashable | None]


@dataclass(frozen=True)
class Side:
    """One of two things that are compared: numbers of several runs.

    Attributes:
        label: what it is.
        text: its numbers as they are printed.
        by_key: the number of each run, by what pairs it with a run of the other side.
        mean: over the runs; None where there is a single one.
        measurement_variance: the square of the error of measurement.
        caveat: why it can't be compared; "" where it can.
        per_sample: the mean over the runs, sample by sample; None where that is not known.
    """

    label: str
    text: str
    by_key: Mapping[Hashable, float]
    mean: MeanEstimate | None
    measurement_variance: float
    caveat: str = ""
    per_sample: PerSample | None = None


@dataclass(frozen=True)
class Comparison:
    """Two sides of which the claim says that the second has ``more`` (or less) than the first.

    Attributes:
        first: a side.
        second: the other one.
        more: what the claim says of the second.
        is_ratio: whether the sides are logarithms.
        adjusted: the p value after Holm's correction over all comparisons of a page; nan before.
    """

    first: Side
    second: Side
    more: bool
    is_ratio: bool = False
    # Not compared: from Python 3.13 on, records that hold nan are not equal.
    adjusted: float = field(default=math.nan, compare=False)

    @property
    def difference(self) -> Difference | None:
        """The second minus the first; None where it can't be tested."""
        first, second = self.first, self.second
        if first.caveat or second.caveat:
            return None
        tested = self.over_runs(self.measurement_variance)
        return None if tested is None or math.isnan(tested.t) else tested

    @property
    def measurement_variance(self) -> float:
        """The squared error of measurement of the difference.

        It is known sample by sample where both were measured on the same samples; else the errors
        of the two sides are taken as independent.
        """
        shared = self.per_sample
        if shared is not None:
            return shared.variance
        return self.first.measurement_variance + self.second.measurement_variance

    @property
    def per_sample(self) -> PerSample | None:
        """The difference sample by sample; None where that is not known."""
        second = self.second.per_sample
        return None if second is None else second.minus(self.first.per_sample)

    def over_runs(self, measurement_variance: float) -> Difference | None:
        """The difference with the error that spread over runs and measurement give it.

        Returns:
            None where there are too few runs.
        """
        first, second = self.first, self.second
        keys = list(first.by_key)
        if len(keys) > 1 and set(keys) == set(second.by_key):
            before, after = ([side.by_key[key] for key in keys] for side in (first, second))
            return paired_difference(before, after, measurement_variance)
        if first.mean is None or second.mean is None:
            return None
        return difference(first.mean, second.mean, measurement_variance)

    @property
    def needs_runs(self) -> bool:
        """Whether further runs, with other seeds, are what is missing."""
        return bool(self._single)

    @property
    def _single(self) -> list[Side]:
        """The sides that have a single run."""
        sides = (self.first, self.second)
        return [side for side in sides if side.mean is None and not side.caveat]

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`."""
        tested = self.difference
        if tested is None or not self.adjusted < LEVEL:
            return "can't decide"
        return "supports" if (tested.value > 0) == self.more else "contradicts"

    @property
    def text(self) -> str:
        """The numbers, the difference with its interval, and how it was tested."""
        sides = ", ".join(f"{side.label} {side.text}" for side in (self.first, self.second))
        return f"{sides}: {self._test}"

    @property
    def _test(self) -> str:
        tested = self.difference
        if tested is None:
            caveat = self.first.caveat or self.second.caveat
            if caveat or not self._single:
                return caveat or NO_SPREAD
            return ONE_RUN if len(self._single) == 2 else f"{ONE_RUN_OF} {self._single[0].label}"
        low, high = tested.interval()
        if self.is_ratio:
            value, low, high = map(_exponential, (tested.value, low, high))
            effect = f"ratio {number(value)}"
        else:
            effect = f"difference {number(tested.value)}"
        name = "paired t" if tested.is_paired else "Welch's t"
        share = f"{100 * (1 - LEVEL):g} %"
        return (
            f"{effect} [{number(low)}, {number(high)}] ({share}), {name}({tested.dof:.3g}) = "
            f"{number(tested.t)}, p = {number(tested.p, 2)}, after Holm {number(self.adjusted, 2)}"
        )


def seed_of_run(run: Run) -> int | None:
    """What pairs the runs of two trainings of one architecture."""
    return run.seed


def compared(
    pairs: Iterable[tuple[Network, Network, str]],
    key: Key,
    *,
    more: bool,
    may_be_ratio: bool = True,
) -> list[Comparison]:
    """A comparison for each pair of networks and the name of a quantity that both have.

    Args:
        pairs: first and second network, and the quantity.
        key: what tells which of their runs belong together.
        more: whether the claim says that the second has more of it.
        may_be_ratio: whether quantities of a positive scale are compared by their logarithms.
    """
    comparisons = []
    for first, second, name in pairs:
        measured = measure_over_runs(first, name), measure_over_runs(second, name)
        if measured[0] is not None and measured[1] is not None:
            comparisons.append(
                compare_measurements(
                    measured[0], measured[1], name, key, more=more, may_be_ratio=may_be_ratio
                )
            )
    return comparisons


def compare_measurements(
    first: Measurement,
    second: Measurement,
    name: str,
    key: Key,
    *,
    more: bool,
    may_be_ratio: bool = True,
) -> Comparison:
    """The comparison of two measurements; the arguments are those of :func:`compared`."""
    is_positive = min(*first.values, *second.values) > 0
    is_ratio = may_be_ratio and name in POSITIVE_SCALES and is_positive
    return Comparison(
        _side(first, key, is_ratio), _side(second, key, is_ratio), more=more, is_ratio=is_ratio
    )


def _side(measurement: Measurement, key: Key, is_ratio: bool) -> Side:
    caveat = measurement.caveat
    if not caveat and not all(map(math.isfinite, measurement.values)):
        caveat = NOT_FINITE
    if not caveat and not measurement.first.is_of_training and measurement.first.dof == 0:
        caveat = ONE_DRAW
    if not caveat and any(math.isnan(each.error) for each in measurement.by_run.values()):
        caveat = NO_ERROR
    if caveat:
        return Side(measurement.label, measurement.text, {}, None, 0.0, caveat)
    by_key: dict[Hashable, float] = {}
    values, variances = [], []
    for run, measured in measurement.by_run.items():
        value = math.log(measured.value) if is_ratio else measured.value
        error = measured.error / measured.value if is_ratio else measured.error
        values.append(value)
        variances.append(error**2)
        paired_by = key(run)
        if paired_by is not None:
            by_key[paired_by] = value
    variance = sum(variances) / len(variances)
    mean = MeanEstimate.of(values) if len(values) > 1 else None
    only = measurement.first
    if not only.is_of_training and only.dof > 0:
        # Its own draws, of initial networks, are its replicates.
        mean, variance, by_key = MeanEstimate(values[0], variances[0], only.dof), 0.0, {}
    per_sample = mean_over_runs(each.per_sample for each in measurement.by_run.values())
    return Side(measurement.label, measurement.text, by_key, mean, variance, per_sample=per_sample)


def _exponential(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
