"""Of networks Lanczos finds the eigenvalues of the dense Hessian."""

import numpy as np
import pytest
import torch

from landscape.curvature.operators import CurvatureOperator
from landscape.objective.objective import Objective
from tests.landscape.eigen.checks import top
from tests.landscape.eigen.planted import by_magnitude
from tests.oracles.cases import BY_NAME, CASES
from tests.profile import IS_FULL, repeats

SOME_CASES = CASES if IS_FULL else CASES[::2]
every_case = pytest.mark.parametrize("case", SOME_CASES, ids=lambda case: case.name)


@every_case
@pytest.mark.parametrize("batch_size", [7, 3][: repeats(1, 2)])
def test_the_top_ten_of_a_network_are_those_of_the_dense_hessian(case, batch_size):
    objective = Objective(
        case.model(),
        case.data,
        case.loss,
        batch_size=batch_size,
        device="cpu",
        dtype=torch.float64,
    )
    operator = CurvatureOperator(objective)
    pairs = top(operator, 10)
    expected = by_magnitude(np.linalg.eigvalsh(case.hessian()))[:10]
    # One to one, so none is found twice.
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=1e-6)
    assert pairs.converged.all()
    assert operator.products == pairs.steps + 1  # that certifies all of them
    errors = case.hessian() @ pairs.vectors - pairs.vectors * pairs.eigenvalues
    true = torch.linalg.vector_norm(errors, dim=0) / pairs.eigenvalues.abs()
    assert (pairs.residuals >= 0.99 * true - 1e-12).all()


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm", "mlp with an unused layer"])
def test_single_precision_finds_the_same(name):
    case = BY_NAME[name]
    objective = Objective(case.model().float(), case.data, case.loss, batch_size=3, device="cpu")
    pairs = top(CurvatureOperator(objective), 10)
    expected = by_magnitude(np.linalg.eigvalsh(case.hessian()))[:10]
    assert pairs.converged.all()
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=1e-4)
