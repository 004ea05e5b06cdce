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
    exact = (vector.double() @ case.hessian() @ vector.double()).item()
    difference = second_difference(objective, vector)
    assert difference.value == pytest.approx(exact, rel=1e-5, abs=1e-6)
    assert abs(difference.value - exact) <= 10 * difference.stderr + 1e-5 * abs(exact)
    assert torch.equal(objective.live_weights, objective.theta)


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
