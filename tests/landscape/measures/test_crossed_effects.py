"""Errors of means over samples and draws, against simulation and the textbook's table."""

import math

import numpy as np
import pytest

from landscape.estimates import Estimate
from landscape.measures.crossed_effects import CrossedMean


def crossed(table):
    mean = CrossedMean()
    for row in table:
        mean.add(row)
    return mean.estimate()


def simulated(source, draws, samples, spread_of_samples, spread_of_draws, rest):
    shape = (draws, samples)
    return (
        2.0
        + spread_of_samples * source.standard_normal(samples)
        + spread_of_draws * source.standard_normal((draws, 1))
        + rest * source.standard_normal(shape)
    )


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_mean_squares_are_those_of_the_analysis_of_variance(offset):
    table = simulated(np.random.default_rng(0), 5, 8, 1.0, 2.0, 0.7)
    estimate = crossed(table + offset)
    rows, columns = table.mean(1), table.mean(0)
    rest = table - rows[:, None] - columns + table.mean()
    squares = 8 * rows.var(ddof=1), 5 * columns.var(ddof=1), (rest**2).sum() / 28
    variance = (squares[0] + squares[1] - squares[2]) / 40
    assert estimate.total.value == pytest.approx(table.mean() + offset, rel=1e-12)
    assert estimate.total.stderr == pytest.approx(math.sqrt(variance), rel=1e-7)
    assert estimate.noise_error == pytest.approx(math.sqrt(squares[0] / 40), rel=1e-7)
    assert estimate.sampling_error == pytest.approx(math.sqrt(squares[1] / 40), rel=1e-7)
    terms = sum(square**2 / dof for square, dof in zip(squares, (4, 7, 28), strict=True))
    assert estimate.total.dof == pytest.approx((40 * variance) ** 2 / terms, rel=1e-7)


@pytest.mark.parametrize(
    "spreads",
    [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.5, 1.0)],
    ids=["samples", "draws", "neither", "all"],
)
def test_the_interval_holds_the_truth_as_often_as_it_says(spreads):
    source = np.random.default_rng(1)
    totals = [crossed(simulated(source, 6, 15, *spreads)).total for _ in range(400)]
    inside = [low <= 2.0 <= high for low, high in (total.interval(0.9) for total in totals)]
    # Of 400, 0.9 comes out within 0.045, three of its errors; where neither spreads, more.
    assert 0.855 < np.mean(inside) < (0.99 if spreads[:2] == (0, 0) else 0.945)


def test_a_variance_that_comes_out_negative_counts_as_none():
    checkers = np.where(np.indices((4, 6)).sum(0) % 2, 1.0, -1.0)
    estimate = crossed(checkers)
    assert estimate.total.stderr == pytest.approx(math.sqrt(24 / 15 / 24))
    assert estimate.noise_error == estimate.sampling_error == 0


def test_one_row_or_one_column_has_one_error():
    row = crossed([[1.0, 4.0, 2.0, 7.0]])
    assert row.sampling_error == Estimate.of([1.0, 4.0, 2.0, 7.0]).stderr
    column = crossed([[1.0], [4.0], [2.0], [7.0]])
    assert column.noise_error == row.sampling_error
    for estimate in (row, column):
        assert estimate.total.value == 3.5
        assert math.isnan(estimate.total.stderr)
    assert math.isnan(row.noise_error)
    assert math.isnan(column.sampling_error)


@pytest.mark.parametrize("odd", [[1.0, math.inf, 2.0], [1.0, math.nan, 2.0], [1.0, 2.0]])
def test_rows_that_do_not_fit_leave_no_error(odd):
    estimate = crossed([[1.0, 2.0, 3.0], odd, [2.0, 2.0, 2.0]])
    assert math.isnan(estimate.total.stderr)


def test_equal_numbers_have_no_error():
    assert crossed(np.full((3, 4), 2.0)).total == Estimate(2.0, 0.0, math.inf)
