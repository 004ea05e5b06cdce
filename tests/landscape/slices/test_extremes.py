import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.objective.objective import Objective
from landscape.slices.extremes import TOLERANCE, extreme_eigenvalues
from tests.oracles.cases import BY_NAME, CASES
from tests.oracles.dense import dense_hessian
from tests.profile import IS_FULL, repeats

SOME_CASES = CASES if IS_FULL else CASES[::2]
every_case = pytest.mark.parametrize("case", SOME_CASES, ids=lambda case: case.name)


def objective_of(case, batch_size=3):
    return Objective(
        case.model(), case.data, case.loss, batch_size=batch_size, device="cpu", dtype=torch.float64
    )


def assert_extremes(extremes, dense):
    values = torch.linalg.eigvalsh(dense)
    smallest, largest, residual = extremes
    scale = max(abs(smallest), abs(largest))
    assert 0 <= residual <= TOLERANCE
    # The ends of the spectrum, and eigenvalues to within what is claimed.
    assert smallest == pytest.approx(values[0].item(), abs=TOLERANCE * scale)
    assert largest == pytest.approx(values[-1].item(), abs=TOLERANCE * scale)
    for value in (smallest, largest):
        assert (values - value).abs().min() <= residual * scale + 1e-12 * scale


@every_case
@pytest.mark.parametrize("batch_size", [3, 7][: repeats(1, 2)])
def test_at_the_network(case, batch_size):
    assert_extremes(extreme_eigenvalues(objective_of(case, batch_size)), case.hessian())


@every_case
def test_away_from_it(case):
    objective, model = objective_of(case), case.model()
    there = objective.theta + 0.3 * torch.randn_like(objective.theta)
    objective.live_weights.copy_(there)
    nn.utils.vector_to_parameters(there, [p for p in model.parameters() if p.requires_grad])
    extremes = extreme_eigenvalues(objective)
    assert_extremes(extremes, dense_hessian(model, *case.data, case.loss))
    assert torch.equal(objective.live_weights, there)


def test_it_is_deterministic():
    objective = objective_of(BY_NAME["mlp with tied weights"])
    state = torch.get_rng_state()
    assert extreme_eigenvalues(objective) == extreme_eigenvalues(objective)
    assert torch.equal(torch.get_rng_state(), state)


class Quadratic(nn.Module):
    """A loss of 1/2 sum_i h_i w_i^2."""

    def __init__(self, curvatures) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.full((len(curvatures),), 0.3))
        self.register_buffer("curvatures", torch.tensor(curvatures))

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1) * 0 + 0.5 * (self.curvatures * self.weights.square()).sum()


def first(outputs, targets):
    return outputs.mean()


@pytest.mark.parametrize(
    "curvatures",
    [[1.0, 2.0, 5.0], [-1.0, -2.0, -5.0], [-5.0, 1.0, 5.0], [3.0, 0.0, -4.0], [2.0] * 6, [7.0]],
    ids=str,
)
def test_spectra_of_every_sign(curvatures):
    data = torch.randn(5, 2, dtype=torch.float64), torch.zeros(5)
    model = Quadratic(curvatures)
    objective = Objective(model, data, first, batch_size=2, device="cpu", dtype=torch.float64)
    smallest, largest, residual = extreme_eigenvalues(objective)
    np.testing.assert_allclose([smallest, largest], [min(curvatures), max(curvatures)], atol=0.05)
    assert residual <= TOLERANCE


def test_a_linear_loss_has_zero_curvature():
    data = torch.randn(5, 3), torch.zeros(5)
    objective = Objective(nn.Linear(3, 1), data, first, batch_size=2, device="cpu")
    assert extreme_eigenvalues(objective) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_a_loss_that_is_not_finite_has_none(value):
    objective = Objective(nn.Linear(3, 2), (torch.randn(4, 3), torch.randn(4, 2)), F.mse_loss,
                          device="cpu")  # fmt: skip
    objective.live_weights.fill_(value)
    assert not math.isfinite(objective.loss())
    assert all(map(math.isnan, extreme_eigenvalues(objective)))


class Root(nn.Module):
    """Finite at its weights, where no derivative is."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weights).sum(1, keepdim=True).abs().sqrt()


def test_a_derivative_that_is_not_finite_has_none():
    data = torch.randn(4, 3), torch.randn(4, 1)
    objective = Objective(Root(), data, F.mse_loss, device="cpu")
    assert math.isfinite(objective.loss())
    assert all(map(math.isnan, extreme_eigenvalues(objective)))
