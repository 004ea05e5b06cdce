"""Spectral densities, and the shares of eigenvalues beyond thresholds."""

import math

import numpy as np
import pytest
from scipy.integrate import trapezoid

from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.quadrature import Quadrature
from landscape.eigen.quadrature import stochastic_lanczos as run
from tests.landscape.eigen.planted import diagonal, generator, planted

VALUES = np.array([-3.0, -1.0, -0.5, 0.2, 0.7, 1.5, 2.0, 6.0])


def stochastic_lanczos(operator, probes, steps, generator):
    vectors = rademacher_vectors(operator, probes, generator)
    return run(operator, vectors, steps, generator)[0]


def integral(values, grid):
    return trapezoid(values, grid)


@pytest.mark.parametrize("finest", [0.0, 0.05, 0.3])
def test_the_density_integrates_to_one(finest):
    quadrature = stochastic_lanczos(planted(VALUES), 3, len(VALUES), generator())
    grid = np.linspace(-15, 20, 20001)
    mean, error = quadrature.density(grid, finest)
    assert mean.shape == error.shape == grid.shape
    assert integral(mean, grid) == pytest.approx(1, abs=1e-6)
    assert (mean >= 0).all()
    assert (error >= 0).all()
    # Each node is smeared by a Gaussian, which moves no mass on average.
    nodes_mean = (quadrature.weights * quadrature.nodes).sum(1).mean()
    assert integral(grid * mean, grid) == pytest.approx(nodes_mean, abs=1e-6)


@pytest.mark.parametrize("finest", [0.0, 2.0])
def test_the_density_is_the_mean_of_gaussians_as_wide_as_nodes_are_apart(finest):
    nodes = np.array([[-1.0, 2.0, 4.0], [0.0, 4.0, 5.0]])
    weights = np.array([[0.25, 0.5, 0.25], [0.5, 0.3, 0.2]])
    distances = np.array([[3.0, 2.5, 2.0], [4.0, 2.5, 1.0]])
    quadrature = Quadrature(nodes, weights, np.zeros(2))
    np.testing.assert_allclose(quadrature.widths, distances)
    mean, error = quadrature.density(np.array([0.5, 3.0]), finest)

    def gaussian(x, node, distance):
        width = max(distance / 2, finest)
        return math.exp(-((x - node) ** 2) / (2 * width**2)) / (width * math.sqrt(2 * math.pi))

    for place, x in enumerate((0.5, 3.0)):
        first, second = (
            sum(
                w * gaussian(x, t, d)
                for t, w, d in zip(nodes[k], weights[k], distances[k], strict=True)
            )
            for k in range(2)
        )
        assert mean[place] == pytest.approx((first + second) / 2, rel=1e-13)
        assert error[place] == pytest.approx(abs(first - second) / 2, rel=1e-13)


def test_far_outliers_do_not_smear_the_bulk():
    # 99.5 % of the eigenvalues within 0.5 of 0, ten outliers up to 100.
    random = np.random.default_rng(0)
    bulk = random.uniform(-0.5, 0.5, 1990)
    quadrature = stochastic_lanczos(
        diagonal([*bulk, *np.linspace(10, 100, 10)]), 4, 40, generator()
    )
    grid = np.linspace(-2, 2, 4001)
    mean, _ = quadrature.density(grid)
    inside = np.abs(grid) < 0.6
    assert integral(mean[inside], grid[inside]) > 0.97
    # And it is flat there, as it should be.
    level = mean[np.abs(grid) < 0.4]
    assert 0.7 < level.min() < level.max() < 1.4


def test_shares_beyond_thresholds_are_counted():
    nodes = np.array([[-2.0, 0.5, 3.0], [-1.0, 1.0, 2.0]])
    weights = np.array([[0.25, 0.5, 0.25], [0.5, 0.3, 0.2]])
    quadrature = Quadrature(nodes, weights, np.zeros(2))
    mean, error = quadrature.beyond(np.array([0.4, 0.9, 2.5, -0.5, -1.5]))
    np.testing.assert_allclose(mean, [0.625, 0.375, 0.125, 0.375, 0.125])
    np.testing.assert_allclose(error, [0.125, 0.125, 0.125, 0.125, 0.125])


def test_the_negative_share():
    nodes, weights = np.array([[-2.0, 1.0], [-1.0, 5.0]]), np.array([[0.5, 0.5], [0.2, 0.8]])
    share, error = Quadrature(nodes, weights, np.zeros(2)).negative_share
    assert share == pytest.approx((1 + 0.2) / (1.5 + 4.2))
    assert error > 0
    values = np.concatenate([np.linspace(-1, 0, 50), np.linspace(0, 3, 50)])
    share, error = stochastic_lanczos(planted(values), 30, 40, generator()).negative_share
    assert abs(share - 0.25) < 4 * error < 0.1
    assert stochastic_lanczos(diagonal([0.0] * 5), 2, 3, generator()).negative_share == (0, 0)


def test_a_single_probe_has_no_error_of_the_density():
    quadrature = stochastic_lanczos(planted(VALUES), 1, 4, generator())
    mean, error = quadrature.density(np.linspace(-4, 7, 50))
    assert mean.any()
    assert np.isnan(error).all()
    mean, error = quadrature.beyond(np.array([-1.0, 0.5, 2.0]))
    assert mean.any()
    assert np.isnan(error).all()
    assert math.isnan(quadrature.negative_share[1])
    nothing = stochastic_lanczos(diagonal([0.0] * 5), 1, 3, generator())
    assert nothing.negative_share[0] == 0
    assert math.isnan(nothing.negative_share[1])


def test_the_density_shows_how_many_eigenvalues_are_where():
    # 90 of 100 eigenvalues near 0, ten outliers: the bulk has to hold nine tenths of the mass.
    values = np.concatenate([np.linspace(-0.1, 0.1, 90), np.linspace(5, 10, 10)])
    quadrature = stochastic_lanczos(planted(values), 60, 30, generator())
    grid = np.linspace(-3, 13, 2001)
    mean, error = quadrature.density(grid, 0.05)
    bulk = np.abs(grid) < 1
    spread = 4 * integral(error[bulk], grid[bulk])
    assert spread < 0.1
    assert integral(mean[bulk], grid[bulk]) == pytest.approx(0.9, abs=spread)
