import math

import numpy as np
import pytest
from scipy import stats

from landscape.estimates import (
    Estimate,
    GeometricMean,
    Proportion,
    combined_dof,
    half_width,
    intervals,
    mean_and_stderr,
    t_quantile,
)

SAMPLES = np.array([1.0, 4.0, 2.0, 7.0])
# Deviations -2.5, 0.5, -1.5, 3.5: variance 21 / 3, divided by 4.
STDERR = math.sqrt(7 / 4)


def test_mean_and_standard_error():
    estimate = Estimate.of(SAMPLES)
    assert estimate.value == 3.5
    assert estimate.stderr == pytest.approx(STDERR, rel=1e-15)


def test_an_offset_moves_the_value_alone():
    assert Estimate.of(SAMPLES, 10.0) == Estimate(13.5, Estimate.of(SAMPLES).stderr, 3.0)


def test_a_list_will_do():
    assert Estimate.of(SAMPLES.tolist()) == Estimate.of(SAMPLES)


@pytest.mark.parametrize("samples", [[2.0], np.array([2.0]), np.float64(2.0)])
def test_a_single_sample_has_no_error(samples):
    estimate = Estimate.of(samples)
    assert estimate.value == 2.0
    assert math.isnan(estimate.stderr)


def test_equal_samples_have_the_error_0():
    assert Estimate.of([3.0, 3.0, 3.0]) == Estimate(3.0, 0.0, 2.0)


def test_single_precision_is_summed_in_double():
    samples = np.array([1e8, 1.0, 1.0, 1.0], dtype=np.float32)
    assert Estimate.of(samples).value == (1e8 + 3) / 4


def test_an_array_has_an_estimate_for_each_row():
    means, errors = mean_and_stderr([SAMPLES, 2 * SAMPLES, SAMPLES + 1])
    np.testing.assert_array_equal(means, [3.5, 7.0, 4.5])
    np.testing.assert_allclose(errors, [STDERR, 2 * STDERR, STDERR], rtol=1e-15)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_along_any_axis(axis):
    samples = np.random.default_rng(0).standard_normal((3, 4, 5))
    means, errors = mean_and_stderr(samples, axis)
    rows = np.moveaxis(samples, axis, -1)
    assert means.shape == errors.shape == rows.shape[:-1]
    for place in np.ndindex(means.shape):
        estimate = Estimate.of(rows[place])
        assert means[place] == pytest.approx(estimate.value, rel=1e-14)
        assert errors[place] == pytest.approx(estimate.stderr, rel=1e-14)


def test_the_error_of_one_sample_along_an_axis_is_nan():
    means, errors = mean_and_stderr(np.ones((3, 1)))
    np.testing.assert_array_equal(means, 1)
    assert errors.shape == (3,)
    assert np.isnan(errors).all()


@pytest.mark.parametrize("level", [0.5, 0.68, 0.95, 0.999])
@pytest.mark.parametrize("count", [2, 4, 31])
def test_the_interval_is_students(count, level):
    samples = np.random.default_rng(count).standard_normal(count)
    expected = stats.t.interval(level, count - 1, samples.mean(), stats.sem(samples))
    assert Estimate.of(samples).interval(level) == pytest.approx(expected, rel=1e-12)


def test_the_interval_of_a_known_error_is_the_normal_one():
    expected = stats.norm.interval(0.95, 2.0, 0.1)
    assert Estimate(2.0, 0.1).interval(0.95) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "estimate",
    [
        Estimate.of([2.0]),
        Estimate(2.0, math.nan),
        Estimate(2.0, 0.1, math.nan),
        Estimate(2.0, 1, 0),
    ],
)
def test_without_an_error_there_is_no_interval(estimate):
    assert all(map(math.isnan, estimate.interval()))


@pytest.mark.parametrize("dof", [0.0, 3.0, math.inf, math.nan])
def test_an_exact_number_is_its_own_interval(dof):
    assert Estimate(3.0, 0.0, dof).interval() == (3.0, 3.0)


def test_quantiles_of_many_degrees_of_freedom_at_once():
    dofs = np.array([1.0, 3.5, 1e6, math.inf, 0.0, math.nan])
    expected = [*stats.t.ppf(0.975, dofs[:3]), stats.norm.ppf(0.975), math.nan, math.nan]
    np.testing.assert_allclose(t_quantile(0.975, dofs), expected, rtol=1e-9)


def test_combined_degrees_of_freedom_are_those_of_welchs_test():
    first, second = np.random.default_rng(0).standard_normal((2, 12))
    second = 5 * second[:7]
    variances = [np.var(sample, ddof=1) / len(sample) for sample in (first, second)]
    welch = stats.ttest_ind(first, second, equal_var=False)
    assert combined_dof(variances, [11, 6]) == pytest.approx(welch.df, rel=1e-12)


@pytest.mark.parametrize(
    ("variances", "dofs", "expected"),
    [
        ([4.0], [3.0], 3.0),
        ([4.0, 0.0], [3.0, 0.0], 3.0),  # what does not vary takes no part
        ([4.0, 1.0], [math.inf, math.inf], math.inf),
        ([1e-200, 1e-200], [5.0, 5.0], 10.0),
        ([0.0, 0.0], [3.0, 3.0], math.inf),
        ([4.0, 1.0], [3.0, 0.0], math.nan),
        ([4.0, math.nan], [3.0, 3.0], math.nan),
    ],
)
def test_combined_degrees_of_freedom(variances, dofs, expected):
    assert combined_dof(variances, dofs) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("level", [0.68, 0.95])
@pytest.mark.parametrize(("events", "count"), [(0, 12), (1, 12), (6, 12), (12, 12), (0, 1)])
def test_the_interval_of_a_proportion_is_wilsons(events, count, level):
    proportion = Proportion.of([True] * events + [False] * (count - events))
    expected = stats.binomtest(events, count).proportion_ci(level, method="wilson")
    assert proportion.interval(level) == pytest.approx(tuple(expected), abs=1e-12)
    assert proportion.effective_count == pytest.approx(count, rel=1e-12)


def test_the_error_of_a_proportion_is_binomial_and_never_0():
    assert Proportion.of([0, 1, 1, 1]) == Proportion(0.75, math.sqrt(0.75 * 0.25 / 4))
    assert Proportion.of([1, 1, 1, 1]) == Proportion(1.0, 0.25)
    assert Proportion.of([0.0, 0.0]) == Proportion(0.0, 0.5)


def test_a_mean_of_shares_has_the_error_of_their_spread():
    shares = [0.5, 0.75, 0.25, 1.0, 0.5]
    proportion = Proportion.of(shares)
    mean = Estimate.of(shares)
    assert (proportion.value, proportion.stderr, proportion.dof) == (0.6, mean.stderr, 4.0)
    low, high = proportion.interval(0.99)
    assert 0 < low < 0.6 < high < 1
    many = Proportion(0.6, 1e-4, 4.0)
    assert many.interval(0.95) == pytest.approx(Estimate(0.6, 1e-4, 4.0).interval(0.95), abs=1e-6)


def test_proportions_without_an_error():
    assert all(map(math.isnan, Proportion.of([0.5]).interval()))
    assert Proportion.of([0.5, 0.5]).interval() == (0.5, 0.5)
    assert math.isnan(Proportion(math.nan, math.nan).effective_count)


def test_bands_are_the_intervals_of_one_standard_error():
    level = stats.norm.cdf(1) - stats.norm.cdf(-1)
    estimates = [Estimate(1.0, 0.5, 3.0), Estimate(2.0, 0.0, 3.0), Proportion(0.25, 0.1)]
    low, high = intervals(estimates)
    half = 0.5 * stats.t.ppf((1 + level) / 2, 3)
    assert (low[0], high[0]) == pytest.approx((1 - half, 1 + half), rel=1e-12)
    assert (low[1], high[1]) == (2.0, 2.0)
    assert (low[2], high[2]) == Proportion(0.25, 0.1).interval(level)
    widths = half_width([0.5, 0.0, math.nan, 0.5], [3.0, 0.0, 3.0, math.inf])
    np.testing.assert_allclose(widths, [half, 0.0, math.nan, 0.5], rtol=1e-12)


@pytest.mark.parametrize("share", [0.002, 0.03, 0.5, 0.9, 0.995])
def test_wilsons_interval_covers_as_often_as_it_says(share):
    """Exactly, by the binomial distribution; on average over shares near each."""
    count, level = 100, 0.95
    covered = []
    for p in np.linspace(0.8, 1.2, 41) * min(share, 1 - share):
        truth = p if share < 0.5 else 1 - p
        ends = intervals((Proportion.of(np.arange(count) < k) for k in range(count + 1)), level)
        inside = (ends[0] <= truth) & (truth <= ends[1])
        covered.append(stats.binom.pmf(np.arange(count + 1), count, truth)[inside].sum())
    assert 0.93 < np.mean(covered) < 0.995


def test_a_geometric_mean_has_the_interval_of_the_mean_logarithm():
    samples = np.exp(np.random.default_rng(0).standard_normal(5))
    mean = GeometricMean.of(samples)
    assert mean.value == pytest.approx(stats.gmean(samples), rel=1e-12)
    assert mean.stderr == pytest.approx(mean.value * stats.sem(np.log(samples)), rel=1e-12)
    expected = stats.t.interval(0.9, 4, np.log(samples).mean(), stats.sem(np.log(samples)))
    assert np.log(mean.interval(0.9)) == pytest.approx(expected, rel=1e-9)


def test_geometric_means_without_an_error_or_without_an_end():
    assert all(map(math.isnan, GeometricMean.of([2.0]).interval()))
    assert GeometricMean.of([4.0, 4.0]).interval() == pytest.approx((4.0, 4.0))
    low, high = GeometricMean.of([1e-300, 1e300]).interval(0.999)
    assert (low, high) == (0.0, math.inf)
