import copy
import math
from contextlib import suppress

import pytest
import torch
from torch import Tensor, nn

from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.slices.evaluator import PointEvaluator
from landscape.slices.statistics import reestimate_statistics
from tests.landscape.slices.evaluated import make_direction
from tests.oracles.cases import randomise


class Net(nn.Module):
    """Two norms, the second of which sees what the first makes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, momentum=0.3)
        self.drop = nn.Dropout(0.5)
        self.conv2, self.norm2 = nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4, affine=False)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(torch.relu(self.norm1(self.conv1(x))))
        return self.head(torch.relu(self.norm2(self.conv2(x))).mean((2, 3)))


def objective(batch_size=3, count=7, model=None):
    model = randomise((model or Net()).double()).eval()
    data = torch.randn(count, 2, 5, 5, dtype=torch.float64), torch.randint(3, (count,))
    return Objective(model, data, batch_size=batch_size, device="cpu", dtype=torch.float64)


def normalised(hidden, norm):
    """By the batch's own statistics, as in training: biased variance."""
    mean = hidden.mean((0, 2, 3), keepdim=True)
    result = (hidden - mean) / (hidden.var((0, 2, 3), correction=0, keepdim=True) + norm.eps).sqrt()
    if norm.weight is None:
        return result
    return result * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)


@torch.no_grad()
def by_hand(net, batches):
    """The size-weighted mean of every batch's mean and unbiased variance."""
    total = sum(batch.size for batch in batches)
    sums = [0.0] * 4
    for batch in batches:
        first = net.conv1(batch.inputs)
        second = net.conv2(torch.relu(normalised(first, net.norm1)))
        for k, hidden in enumerate((first, second)):
            share = batch.size / total
            sums[2 * k] = sums[2 * k] + share * hidden.mean((0, 2, 3))
            sums[2 * k + 1] = sums[2 * k + 1] + share * hidden.var((0, 2, 3), correction=1)
    return sums


@pytest.mark.parametrize("batch_size", [2, 3, 7])
def test_statistics_are_the_weighted_mean_over_uneven_batches(batch_size):
    problem = objective(batch_size)
    net = problem.module
    expected = by_hand(net, problem.batches)
    reestimate_statistics(problem, problem.batches)
    actual = [
        net.norm1.running_mean,
        net.norm1.running_var,
        net.norm2.running_mean,
        net.norm2.running_var,
    ]
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-13)


def test_nothing_else_is_changed():
    problem = objective()
    net = problem.module
    net.norm1.num_batches_tracked.fill_(41)
    weights, mode = problem.live_weights.clone(), {n: m.training for n, m in net.named_modules()}
    reestimate_statistics(problem, problem.batches)
    assert net.norm1.num_batches_tracked.item() == 41
    assert (net.norm1.momentum, net.norm2.momentum) == (0.3, 0.1)
    assert {n: m.training for n, m in net.named_modules()} == mode
    assert torch.equal(problem.live_weights, weights)
    assert all(p.grad is None for p in net.parameters())


def test_a_norm_with_a_cumulative_average_keeps_it():
    model = Net()
    model.norm1.momentum = None
    problem = objective(model=model)
    expected = by_hand(problem.module, problem.batches)[0]
    reestimate_statistics(problem, problem.batches)
    torch.testing.assert_close(problem.module.norm1.running_mean, expected)
    assert problem.module.norm1.momentum is None


def test_the_same_again_whatever_was_there_before():
    problem = objective()
    reestimate_statistics(problem, problem.batches)
    once = problem.live_statistics.clone()
    problem.live_statistics.copy_(torch.rand_like(once))
    reestimate_statistics(problem, problem.batches)
    torch.testing.assert_close(problem.live_statistics, once, rtol=0, atol=0)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_statistics_that_were_not_finite_are_forgotten(broken):
    problem = objective()
    reestimate_statistics(problem, problem.batches)
    once = problem.live_statistics.clone()
    problem.live_statistics.fill_(broken)
    reestimate_statistics(problem, problem.batches)
    torch.testing.assert_close(problem.live_statistics, once, rtol=0, atol=0)


def test_a_point_of_overflow_does_not_spoil_the_next():
    model = randomise(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3)))
    batch_normed = Objective(model, (torch.randn(6, 3), torch.arange(6) % 3), device="cpu")
    evaluator = PointEvaluator(
        batch_normed, [make_direction(batch_normed)], "train", bn="reestimate"
    )
    before = evaluator([0.5])[0]
    evaluator([1e30])
    assert evaluator([0.5])[0] == before


def test_modes_are_put_back_when_the_model_raises(monkeypatch):
    problem = objective()
    monkeypatch.setattr(problem.module.head, "forward", lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reestimate_statistics(problem, problem.batches)
    assert not any(part.training for part in problem.module.modules())
    assert problem.module.norm1.momentum == 0.3
    assert problem.module.norm1.num_batches_tracked.item() == 0


def test_a_last_batch_of_one_sample():
    model = randomise(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double()).eval()
    data = torch.randn(5, 3, dtype=torch.float64), torch.randint(4, (5,))
    problem = Objective(model, data, batch_size=2, device="cpu", dtype=torch.float64)
    with suppress(InputError):  # a refusal in one line would do too
        reestimate_statistics(problem, problem.batches)
    assert problem.live_statistics.isfinite().all()


@pytest.mark.parametrize(
    "model", [nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))], ids=str
)
def test_a_model_without_batch_norm_has_none(model):
    problem = Objective(model, (torch.randn(4, 3), torch.randint(3, (4,))), device="cpu")
    with pytest.raises(NotMeasurableError, match="has no BatchNorm") as error:
        reestimate_statistics(problem, problem.batches)
    assert "\n" not in str(error.value)


def test_the_users_model_is_unchanged():
    model = randomise(Net().double()).eval()
    state = copy.deepcopy(model.state_dict())
    data = torch.randn(4, 2, 5, 5, dtype=torch.float64), torch.randint(3, (4,))
    problem = Objective(model, data, batch_size=2, device="cpu", dtype=torch.float64)
    reestimate_statistics(problem, problem.batches)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
