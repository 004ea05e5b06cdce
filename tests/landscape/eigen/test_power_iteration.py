import numpy as np
import pytest
import torch

from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.power_iteration import power_iteration
from landscape.objective.objective import Objective
from tests.landscape.eigen.planted import (
    by_magnitude,
    diagonal,
    generator,
    planted,
    reported_errors,
    true_errors,
)
from tests.oracles.cases import BY_NAME
from tests.profile import repeats


@pytest.mark.parametrize("seed", range(3))
def test_separated_eigenvalues_are_found(seed):
    values = [-8.0, 4.0, 2.0, -1.0, *np.linspace(-0.5, 0.5, 36)]
    operator = planted(values, seed)
    pairs = power_iteration(operator, 4, generator(seed))
    assert pairs.method == "power"
    assert pairs.converged.all()
    np.testing.assert_allclose(pairs.eigenvalues, values[:4], rtol=1e-10)
    gram = pairs.vectors.T @ pairs.vectors
    np.testing.assert_allclose(gram, np.eye(4), atol=1e-6)
    assert operator.products == pairs.steps + 4
    assert (reported_errors(pairs) >= 0.99 * true_errors(operator, pairs) - 1e-13).all()


SEPARATED = [-8.0, 4.0, 2.0, *np.linspace(-0.5, 0.5, 97)]


def test_single_precision():
    operator = planted(SEPARATED, dtype=torch.float32)
    pairs = power_iteration(operator, 3, generator())
    np.testing.assert_allclose(pairs.eigenvalues, [-8, 4, 2], rtol=1e-6)
    assert (pairs.residuals < 1e-3).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_goes_on_until_the_residual_is_within_the_tolerance(dtype):
    pairs = power_iteration(planted(SEPARATED, dtype=dtype), 3, generator())
    assert pairs.steps < 3 * 300
    assert pairs.converged.all()


def test_equal_sizes_of_opposite_sign_are_not_called_converged():
    pairs = power_iteration(planted([1.0, -1.0, *np.linspace(0, 0.5, 20)]), 1, generator())
    assert not pairs.converged.any()
    assert pairs.residuals.item() > 0.1


def test_too_few_steps_are_owned_up_to():
    operator = planted(np.linspace(0.9, 1, 40))
    pairs = power_iteration(operator, 3, generator(), max_steps=5)
    assert pairs.steps == 3 * 5 + 3
    assert operator.products == 21
    assert not pairs.converged.any()
    truth = torch.linalg.eigvalsh(operator.matrix)
    for value, residual in zip(pairs.eigenvalues, pairs.residuals, strict=True):
        assert (truth - value).abs().min() <= residual * value.abs()


def test_degenerate_operators():
    pairs = power_iteration(diagonal([0.0] * 6), 2, generator())
    assert pairs.eigenvalues.tolist() == [0, 0]
    assert pairs.converged.all()
    pairs = power_iteration(diagonal([-3.0]), 1, generator())
    assert pairs.eigenvalues.item() == -3
    pairs = power_iteration(planted([2.0, 2.0, 2.0, 1.0, 0.0, 0.0]), 4, generator())
    np.testing.assert_allclose(pairs.eigenvalues, [2, 2, 2, 1], rtol=1e-10)
    assert pairs.converged[:3].all()


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet with batch norm", 1),
        ("linear regression", 6),
        ("mlp with an unused layer", 3),
        ("mlp with frozen parameters", 3),
        ("mlp with tied weights", 4),
    ][: repeats(2, 5)],
)
def test_networks_agree_with_the_dense_hessian(name, count):
    case = BY_NAME[name]
    objective = Objective(
        case.model(), case.data, case.loss, batch_size=4, device="cpu", dtype=torch.float64
    )
    operator = CurvatureOperator(objective)
    pairs = power_iteration(operator, count, generator(), max_steps=400)
    expected = by_magnitude(np.linalg.eigvalsh(case.hessian()))[:count]
    assert pairs.converged.all()
    error = np.abs(pairs.eigenvalues.numpy() - expected)
    assert (error <= pairs.residuals.numpy() * np.abs(expected) + 1e-13).all()
    assert operator.products == pairs.steps + count
