"""Student's t against scipy's, Holm's correction against its definition by closed testing."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import stats

from analyses.report.paper.inference import (
    LEVEL,
    MeanEstimate,
    difference,
    holm,
    paired_difference,
)

values = npst.arrays(
    np.float64,
    st.integers(2, 7),
    elements=st.floats(-50, 50).map(lambda value: round(value, 3)),
    unique=True,
)


@given(first=values, second=values)
def test_unpaired_runs_are_compared_after_welch(first, second):
    tested = difference(MeanEstimate.of(first.tolist()), MeanEstimate.of(second.tolist()))
    expected = stats.ttest_ind(second, first, equal_var=False)
    assert tested.t == pytest.approx(expected.statistic, rel=1e-9)
    assert tested.dof == pytest.approx(expected.df, rel=1e-9)
    assert tested.p == pytest.approx(expected.pvalue, rel=1e-7)
    interval = expected.confidence_interval(1 - LEVEL)
    assert tested.interval() == pytest.approx((interval.low, interval.high), rel=1e-7, abs=1e-7)


@given(differences=values, seed=st.integers(0, 99))
def test_paired_runs_are_compared_pair_by_pair(differences, seed):
    first = np.random.default_rng(seed).normal(size=differences.size)
    tested = paired_difference(first.tolist(), (first + differences).tolist())
    expected = stats.ttest_rel(first + differences, first)
    assert tested.t == pytest.approx(expected.statistic, rel=1e-9)
    assert tested.dof == pytest.approx(expected.df)
    assert tested.p == pytest.approx(expected.pvalue, rel=1e-7)


def test_an_error_that_all_runs_share_is_added_and_has_no_degrees_of_freedom():
    tested = paired_difference([1.0, 2.0], [1.5, 2.9], 0.04)
    own = np.var([0.5, 0.9], ddof=1) / 2
    assert tested.stderr == pytest.approx(math.sqrt(own + 0.04))
    assert tested.dof == 1
    assert tested.p == pytest.approx(2 * stats.t.sf(0.7 / tested.stderr, 1))


@pytest.mark.parametrize("count", [2, 3, 6])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("level", [0.05, 0.002])
def test_the_test_errs_at_most_as_often_as_stated(count, share, level):
    """Of many pairs of methods that are alike, with some ``share`` of the variance shared."""
    rng = np.random.default_rng(3)
    trials = 200_000
    runs = rng.normal(scale=math.sqrt((1 - share) * count), size=(trials, count))
    shared = rng.normal(scale=math.sqrt(share), size=trials)
    t = (runs.mean(1) + shared) / np.sqrt(runs.var(1, ddof=1) / count + share)
    rejected = int((2 * stats.t.sf(np.abs(t), count - 1) < level).sum())
    assert rejected <= stats.binom.ppf(0.999, trials, level)
    first, last = runs[0], (runs[0] + runs[1]).tolist()
    one = paired_difference(first.tolist(), last, share)
    assert one.stderr == pytest.approx(math.sqrt(runs[1].var(ddof=1) / count + share))


def test_nothing_that_varies_gives_no_t():
    for error in (0.0, 0.1):
        tested = paired_difference([1.0, 2.0], [2.0, 3.0], error)
        assert math.isnan(tested.t)
        assert math.isnan(tested.p)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_closed_testing_with_bonferroni(p_values):
    """A hypothesis is rejected if every set that holds it is rejected, by Bonferroni's bound."""
    indices = range(len(p_values))
    expected = [
        max(
            min(1.0, len(chosen) * min(p_values[k] for k in chosen))
            for size in range(1, len(p_values) + 1)
            for chosen in itertools.combinations(indices, size)
            if index in chosen
        )
        for index in indices
    ]
    assert holm(p_values) == pytest.approx(expected)


def test_holm_of_nothing():
    assert holm([]) == []
