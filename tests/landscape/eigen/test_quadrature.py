"""The quadrature of a spectrum: its nodes, weights and trace."""

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
from tests.profile import repeats

VALUES = np.array([-3.0, -1.0, -0.5, 0.2, 0.7, 1.5, 2.0, 6.0])


def stochastic_lanczos(operator, probes, steps, generator):
    vectors = rademacher_vectors(operator, probes, generator)
    return run(operator, vectors, steps, generator)[0]


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
        moments = (quadrature.weights * quadrature.nodes**degree).sum(1)
        expected = (probes * powers).sum(0) / 40
        np.testing.assert_allclose(moments, expected, rtol=1e-10, atol=1e-12)
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
    unscaled = stochastic_lanczos(planted(VALUES), 2, 5, generator())
    scaled = stochastic_lanczos(planted(scale * VALUES), 2, 5, generator())
    np.testing.assert_allclose(scaled.nodes / scale, unscaled.nodes, rtol=1e-9)
    np.testing.assert_allclose(scaled.weights, unscaled.weights, rtol=1e-9)


def test_no_nodes_outside_the_spectrum_of_a_matrix_of_low_rank():
    # Where the recurrence breaks down and goes on unaware of it, nodes appear outside [0, 1].
    operator = planted([1.0, 0.5] + [0.0] * 18, dtype=torch.float32)
    quadrature = stochastic_lanczos(operator, 5, 20, generator())
    assert quadrature.nodes.min() > -1e-5
    assert quadrature.nodes.max() < 1 + 1e-5


@pytest.mark.parametrize(("probes", "steps"), [(0, 3), (3, 0)])
def test_no_probe_or_no_step_is_refused(probes, steps):
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


@pytest.mark.parametrize("name", ["mlp with an unused layer", "mixer"][: repeats(1, 2)])
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


# ----------------------------------------------------------------------------- how it behaves


def test_a_seed_means_one_answer_and_the_global_state_is_left_alone():
    state = torch.get_rng_state()
    first, again, reseeded = (
        stochastic_lanczos(planted(VALUES), 2, 4, generator(s)) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.nodes, again.nodes)
    np.testing.assert_array_equal(first.traces, again.traces)
    assert not np.array_equal(first.traces, reseeded.traces)
    assert torch.equal(state, torch.get_rng_state())


def test_probes_that_do_not_fit_side_by_side_run_in_groups(monkeypatch):
    operator = planted(np.linspace(-1, 2, 30))
    together = stochastic_lanczos(operator, 5, 10, generator())
    monkeypatch.setattr(quadrature, "BASIS_BYTES", 2 * 11 * 30 * 8)
    apart = stochastic_lanczos(operator, 5, 10, generator())
    np.testing.assert_allclose(apart.nodes, together.nodes, atol=1e-12)
    np.testing.assert_allclose(apart.weights, together.weights, atol=1e-12)
    np.testing.assert_allclose(apart.traces, together.traces, atol=1e-12)
