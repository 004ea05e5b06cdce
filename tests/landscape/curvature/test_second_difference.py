import pytest
import torch
from torch import nn

from landscape.curvature.second_difference import second_difference
from landscape.objective.objective import Objective
from tests.oracles.cases import CASES


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_the_curvature_along_the_vector(case, dtype):
    objective = Objective(case.model(), case.data, case.loss, device="cpu", dtype=dtype)
    vector = torch.randn(objective.num_parameters, generator=torch.Generator().manual_seed(0))
    vector = (vector / vector.norm()).to(dtype)
    direction = vector.double() / vector.double().norm()
    exact = (direction @ case.hessian() @ direction).item()
    difference = second_difference(objective, vector)
    assert difference.value == pytest.approx(exact, rel=1e-5, abs=1e-6)
    assert abs(difference.value - exact) <= 4 * difference.stderr
    assert torch.equal(objective.live_weights, objective.theta)


def test_the_length_of_the_vector_does_not_matter():
    """That of a unit vector in float32 is 1 but for a rounding of 1e-8, which was in the value."""
    case = CASES[0]
    objective = Objective(case.model(), case.data, case.loss, device="cpu")
    vector = torch.randn(objective.num_parameters, generator=torch.Generator().manual_seed(0))
    difference = second_difference(objective, vector)
    for factor in (1 + 1e-4, 3.0):
        scaled = second_difference(objective, factor * vector)
        assert abs(scaled.value - difference.value) <= 4 * difference.stderr
        assert difference.stderr < 1e-5 * abs(difference.value)


class SingleLoss(nn.Module):
    """A model whose loss is in float32 whatever its weights are, as some language models have."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x).float()


def test_a_loss_in_single_precision_has_a_larger_error():
    torch.manual_seed(0)
    inputs, targets = torch.randn(20, 3), torch.randn(20, 2)

    def loss(outputs, targets):
        return (outputs - targets.float()).square().mean()

    objective = Objective(SingleLoss(), (inputs, targets), loss, device="cpu")
    vector = torch.randn_like(objective.theta)
    vector /= vector.norm()
    exact = (vector @ objective.hessian_product(vector)).item()
    difference = second_difference(objective, vector)
    assert 1e-6 < difference.stderr < 0.1
    assert abs(difference.value - exact) <= 3 * difference.stderr
