import math

import numpy as np
import pytest
import torch

from landscape.curvature.operators import CurvatureOperator
from landscape.eigen import quadrature
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.quadrature import Quadrature
from landscape.eigen.quadrature import stochastic_lanczos as run
from landscape.errors import InputError
from landscape.objective.objective import Objective
from tests.landscape.eigen.planted import diagonal, generator, planted
from tests.oracles.cases import BY_NAME

VALUES = np.array([-3.0, -1.0, -0.5, 0.2, 0.7, 1.5, 2.0, 6.0])


def stochastic_lanczos(operator, probes, steps, generator):
    vectors = rademacher_vectors(operator, probes, generator)
    return run(operator, vectors, steps, generator)[0]


def integral(values, grid):
    return np.trapezoid(values, grid)


# ----------------------------------------------------------------------- nodes and weights


def test_with_as_many_steps_as_dimensions_the_nodes_are_the_eigenvalues():
    operator = planted(VALUES)
    quadrature = stochastic_lanczos(operator, 5, len(VALUES), generator())
    assert quadrature.nodes.shape == quadrature.weights.shape == (5, 8)
    assert quadrature.traces.shape == (5,)
    for nodes in quadrature.nodes:
        np.testing.assert_allclose(nodes, VALUES, rtol=1e-9)
    # The weights are the squared shares of the probes in the eigenvectors.
    _, vectors = np.linalg.eigh(operator.matrix.numpy())
    probes = rademacher_vectors(operator, 5, generator()).numpy()
    np.testing.assert_allclose(quadrature.weights, ((vectors.T @ probes) ** 2).T / 8, atol=1e-11)
    assert operator.products == 5 * 8


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_rule_of_m_nodes_has_the_first_moments_of_its_probe(steps):
    operator = planted(np.linspace(-1, 2, 40))
    quadrature = stochastic_lanczos(operator, 3, steps, generator())
    probes = rademacher_vectors(operator, 3, generator())
    powers = probes.clone()
    for degree in range(2 * steps):
        found = (quadrature.weights * quadrature.nodes**degree).sum(1)
        expected = (probes * powers).sum(0) / 40
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        powers = operator.matrix @ powers


def test_weights_sum_to_one():
    quadrature = stochastic_lanczos(planted(np.linspace(-1, 2, 40)), 4, 12, generator())
    np.testing.assert_allclose(quadrature.weights.sum(1), 1, rtol=1e-12)
    assert (quadrature.weights >= 0).all()


def test_more_steps_than_dimensions_are_cut():
    quadrature = stochastic_lanczos(planted(VALUES), 2, 100, generator())
    assert quadrature.nodes.shape == (2, 8)
    np.testing.assert_allclose(quadrature.nodes[1], VALUES, rtol=1e-9)


def test_repeated_eigenvalues_and_zeros():
    values = [2.0] * 3 + [0.0] * 27
    operator = planted(values)
    quadrature = stochastic_lanczos(operator, 4, 12, generator())
    probes = rademacher_vectors(operator, 4, generator())
    shares = torch.linalg.vector_norm(operator.matrix @ probes / 2, dim=0) ** 2 / 30
    twos = (quadrature.weights * (np.abs(quadrature.nodes - 2) < 1e-9)).sum(1)
    np.testing.assert_allclose(twos, shares, rtol=1e-9)
    zeros = (quadrature.weights * (np.abs(quadrature.nodes) < 1e-9)).sum(1)
    np.testing.assert_allclose(zeros, 1 - shares, rtol=1e-9)


def test_a_zero_operator():
    quadrature = stochastic_lanczos(diagonal([0.0] * 9), 2, 5, generator())
    np.testing.assert_array_equal(quadrature.nodes, 0)
    np.testing.assert_allclose(quadrature.weights.sum(1), 1)
    assert quadrature.trace == 0
    assert quadrature.trace_stderr == 0


@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1.0, 1e8])
def test_the_scale_of_the_operator_changes_nothing_else(scale):
    one = stochastic_lanczos(planted(VALUES), 2, 5, generator())
    other = stochastic_lanczos(planted(scale * VALUES), 2, 5, generator())
    np.testing.assert_allclose(other.nodes / scale, one.nodes, rtol=1e-9)
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-9)


def test_no_nodes_outside_the_spectrum_of_a_matrix_of_low_rank():
    # Where the recurrence breaks down and goes on unaware of it, nodes appear outside [0, 1].
    operator = planted([1.0, 0.5] + [0.0] * 18, dtype=torch.float32)
    quadrature = stochastic_lanczos(operator, 5, 20, generator())
    assert quadrature.nodes.min() > -1e-5
    assert quadrature.nodes.max() < 1 + 1e-5


@pytest.mark.parametrize(("probes", "steps"), [(0, 3), (3, 0)])
def test_nothing_is_refused(probes, steps):
    with pytest.raises(InputError, match=f"got {probes} and {steps}"):
        stochastic_lanczos(planted(VALUES), probes, steps, generator())


# --------------------------------------------------------------------------------------- trace


def test_a_probe_of_the_trace_is_its_quadratic_form():
    operator = planted(np.linspace(-1, 2, 40))
    quadrature = stochastic_lanczos(operator, 6, 3, generator(4))
    probes = rademacher_vectors(operator, 6, generator(4))
    expected = (probes * (operator.matrix @ probes)).sum(0)
    np.testing.assert_allclose(quadrature.traces, expected, rtol=1e-12)


def test_mean_and_standard_error():
    traces = np.array([1.0, 4.0, 2.0, 7.0])
    quadrature = Quadrature(np.zeros((4, 1)), np.ones((4, 1)), traces)
    assert quadrature.trace == 3.5
    # Deviations -2.5, 0.5, -1.5, 3.5: variance 21 / 3, divided by 4.
    assert quadrature.trace_stderr == pytest.approx(math.sqrt(7 / 4), rel=1e-14)


def test_a_single_probe_has_no_standard_error():
    quadrature = stochastic_lanczos(planted(VALUES), 1, 3, generator())
    assert math.isnan(quadrature.trace_stderr)
    assert quadrature.trace == quadrature.traces[0]


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_is_within_four_standard_errors_of_the_truth(seed):
    operator = planted(VALUES, seed)
    quadrature = stochastic_lanczos(operator, 200, 1, generator(seed))
    assert abs(quadrature.trace - VALUES.sum()) < 4 * quadrature.trace_stderr
    # Hutchinson (1990): the variance is twice the sum of the squared off-diagonal entries.
    matrix = operator.matrix.numpy()
    spread = math.sqrt(2 * ((matrix**2).sum() - (np.diag(matrix) ** 2).sum()) / 200)
    assert quadrature.trace_stderr == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_trace_of_a_diagonal_matrix_is_exact(dtype):
    values = [-3.0, 1.0, 0.25, 8.0, 0.5]
    quadrature = stochastic_lanczos(diagonal(values, dtype), 4, 3, generator())
    rounding = {"rel": 1e-6 if dtype == torch.float32 else 1e-14}
    assert quadrature.traces.tolist() == pytest.approx([6.75] * 4, **rounding)
    assert quadrature.trace == pytest.approx(6.75, **rounding)


@pytest.mark.parametrize("name", ["mixer", "mlp with an unused layer"])
def test_trace_and_moments_of_a_network(name):
    case = BY_NAME[name]
    operator = CurvatureOperator(
        Objective(
            case.model(), case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
        )
    )
    quadrature = stochastic_lanczos(operator, 30, 4, generator())
    assert operator.products == 30 * 4
    dense = case.hessian()
    power = torch.eye(len(dense), dtype=torch.float64)
    for degree in range(1, 5):
        power = power @ dense
        samples = (quadrature.weights * quadrature.nodes**degree).sum(1) * len(dense)
        error = samples.std(ddof=1) / math.sqrt(30)
        assert abs(samples.mean() - power.trace().item()) < 4 * error
    assert quadrature.trace == pytest.approx(
        ((quadrature.weights * quadrature.nodes).sum(1) * len(dense)).mean(), rel=1e-9
    )


# ------------------------------------------------------------------------------------- density


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
        one, other = (
            sum(
                w * gaussian(x, t, d)
                for t, w, d in zip(nodes[k], weights[k], distances[k], strict=True)
            )
            for k in range(2)
        )
        assert mean[place] == pytest.approx((one + other) / 2, rel=1e-13)
        assert error[place] == pytest.approx(abs(one - other) / 2, rel=1e-13)


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


def test_a_seed_means_one_answer_and_the_global_state_is_left_alone():
    state = torch.get_rng_state()
    one, again, other = (stochastic_lanczos(planted(VALUES), 2, 4, generator(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.nodes, again.nodes)
    np.testing.assert_array_equal(one.traces, again.traces)
    assert not np.array_equal(one.traces, other.traces)
    assert torch.equal(state, torch.get_rng_state())


def test_probes_that_do_not_fit_side_by_side_run_in_groups(monkeypatch):
    operator = planted(np.linspace(-1, 2, 30))
    together = stochastic_lanczos(operator, 5, 10, generator())
    monkeypatch.setattr(quadrature, "BASIS_BYTES", 2 * 11 * 30 * 8)
    apart = stochastic_lanczos(operator, 5, 10, generator())
    np.testing.assert_allclose(apart.nodes, together.nodes, atol=1e-12)
    np.testing.assert_allclose(apart.weights, together.weights, atol=1e-12)
    np.testing.assert_allclose(apart.traces, together.traces, atol=1e-12)
