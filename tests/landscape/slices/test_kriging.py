import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator

from landscape.slices import kriging
from landscape.slices.kriging import krige
from tests.profile import repeats


def scattered(count=30, seed=0):
    return np.random.default_rng(seed).random((count, 2))


def rough(points):
    x, y = points.T
    return np.sin(5 * x) * np.cos(3 * y) + np.abs(x - y)


POINTS = scattered(40, seed=1)


def test_exact_at_the_nodes():
    nodes = scattered()
    prediction = krige(nodes, rough(nodes), nodes)
    np.testing.assert_allclose(prediction.value, rough(nodes), rtol=0, atol=1e-10)
    assert (prediction.error < 1e-5).all()
    assert (krige(nodes, rough(nodes), POINTS).error > 1e-4).all()


@given(st.tuples(*[st.floats(-10, 10)] * 3))
@settings(max_examples=repeats(10, 25), deadline=None)
def test_linear_functions_are_reproduced_without_error(coefficients):
    a, b, c = coefficients
    nodes = scattered()
    prediction = krige(nodes, a + nodes @ [b, c], POINTS)
    tolerance = 1e-9 * max(map(abs, coefficients)) + np.finfo(float).tiny
    np.testing.assert_allclose(prediction.value, a + POINTS @ [b, c], rtol=0, atol=tolerance)
    np.testing.assert_allclose(prediction.error, 0, atol=tolerance)


@pytest.mark.parametrize("count", [4, 5, 16, 17, 60])
def test_values_are_those_of_cubic_radial_basis_functions(count):
    nodes = scattered(count)
    expected = RBFInterpolator(nodes, rough(nodes), kernel="cubic", degree=1)(POINTS)
    prediction = krige(nodes, rough(nodes), POINTS)
    np.testing.assert_allclose(prediction.value, expected, rtol=1e-8, atol=1e-8)
    assert prediction.value.shape == prediction.error.shape == (40,)
    assert np.isfinite(prediction.error).all()


def test_leave_one_out_residuals_are_those_of_fits_without_the_node(monkeypatch):
    nodes = scattered(20)
    values = rough(nodes)
    recorded = []

    def unit(_nodes, residuals, points):
        recorded.append(residuals)
        return np.ones(len(points))

    monkeypatch.setattr(kriging, "_local_deviation", unit)
    krige(nodes, values, POINTS)
    standardised = recorded[0]
    for left_out in range(20):
        kept = np.arange(20) != left_out
        prediction = krige(nodes[kept], values[kept], nodes[[left_out]])
        # With a roughness of 1 the error is the kriging deviation itself.
        residual = (values[left_out] - prediction.value[0]) / prediction.error[0]
        assert abs(standardised[left_out]) == pytest.approx(abs(residual), rel=1e-6)


def test_errors_go_with_the_values_and_not_with_where_they_are():
    nodes = scattered()
    values = rough(nodes)
    plain = krige(nodes, values, POINTS)
    transformed = krige(nodes + [3, -2], 5 - 7 * values, POINTS + [3, -2])
    np.testing.assert_allclose(transformed.value, 5 - 7 * plain.value, rtol=0, atol=1e-7)
    np.testing.assert_allclose(transformed.error, 7 * plain.error, rtol=1e-4)
    larger = krige(10 * nodes, values, 10 * POINTS)
    np.testing.assert_allclose(larger.value, plain.value, rtol=0, atol=1e-7)
    np.testing.assert_allclose(larger.error, plain.error, rtol=1e-4)


def test_errors_grow_away_from_the_nodes_and_with_the_roughness_there():
    nodes = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 2), axis=-1).reshape(-1, 2)
    values = np.where(nodes[:, 0] > 0.5, 0.3 * (-1) ** np.arange(81), 0.001 * nodes[:, 0] ** 2)
    near, far = krige(nodes, values, np.array([[0.5, 1.02], [0.5, 1.3]])).error
    assert near < far / 5
    smooth, uneven = krige(nodes, values, np.array([[0.0625, 0.5625], [0.9375, 0.5625]])).error
    assert smooth < uneven / 5


# ---------------------------------------------------------------------------------------- noise


def noisy(count, noise, seed=3):
    nodes = scattered(count, seed)
    draw = np.random.default_rng(seed + 1).normal(size=count)
    return nodes, rough(nodes), rough(nodes) + noise * draw


def test_a_noise_of_zero_changes_no_bit():
    nodes = scattered(60)
    without, with_none = krige(nodes, rough(nodes), POINTS), krige(nodes, rough(nodes), POINTS, 0.0)
    assert without.value.tobytes() == with_none.value.tobytes()
    assert without.error.tobytes() == with_none.error.tobytes()


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.3])
def test_noise_is_smoothed(noise):
    """Of many close nodes the prediction is nearer to the truth than the values are."""
    nodes, truth, values = noisy(300, noise)
    prediction = krige(nodes, values, nodes, noise)
    errors = prediction.value - truth
    assert np.sqrt((errors**2).mean()) < 0.8 * noise
    exact = krige(nodes, values, POINTS).value - rough(POINTS)
    smooth = krige(nodes, values, POINTS, noise).value - rough(POINTS)
    assert (smooth**2).mean() < (exact**2).mean()


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.1])
def test_errors_with_noise_are_those_of_the_truth(noise):
    ratios = []
    for seed in range(repeats(5, 20)):
        nodes, _, values = noisy(200, noise, seed)
        points = scattered(200, seed + 100)
        prediction = krige(nodes, values, points, noise)
        ratios.append(np.abs(prediction.value - rough(points)) / prediction.error)
    shares = (np.concatenate(ratios) <= 1).mean(), (np.concatenate(ratios) <= 2).mean()
    assert 0.55 <= shares[0] <= 0.9, shares
    assert shares[1] >= 0.88, shares


def test_many_points_take_the_memory_of_a_part_of_them(monkeypatch):
    nodes, points = scattered(400), scattered(30_000, seed=1)
    tracemalloc.start()
    prediction = krige(nodes, rough(nodes), points, noise=0.01)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * len(nodes) * len(points)  # the distances of all points from all nodes
    monkeypatch.setattr(kriging, "DISTANCES_AT_ONCE", len(nodes) * len(points))
    together = krige(nodes, rough(nodes), points, noise=0.01)
    np.testing.assert_allclose(prediction.value, together.value, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(prediction.error, together.error, rtol=1e-6, atol=1e-9)
