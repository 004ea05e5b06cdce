import math

import numpy as np
import pytest

from landscape.estimates import Estimate, mean_and_stderr

SAMPLES = np.array([1.0, 4.0, 2.0, 7.0])
# Deviations -2.5, 0.5, -1.5, 3.5: variance 21 / 3, divided by 4.
STDERR = math.sqrt(7 / 4)


def test_mean_and_standard_error():
    estimate = Estimate.of(SAMPLES)
    assert estimate.value == 3.5
    assert estimate.stderr == pytest.approx(STDERR, rel=1e-15)


def test_an_offset_moves_the_value_alone():
    assert Estimate.of(SAMPLES, 10.0) == Estimate(13.5, Estimate.of(SAMPLES).stderr)


def test_a_list_will_do():
    assert Estimate.of(SAMPLES.tolist()) == Estimate.of(SAMPLES)


@pytest.mark.parametrize("samples", [[2.0], np.array([2.0]), np.float64(2.0)])
def test_a_single_sample_has_no_error(samples):
    estimate = Estimate.of(samples)
    assert estimate.value == 2.0
    assert math.isnan(estimate.stderr)


def test_equal_samples_have_the_error_0():
    assert Estimate.of([3.0, 3.0, 3.0]) == Estimate(3.0, 0.0)


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
