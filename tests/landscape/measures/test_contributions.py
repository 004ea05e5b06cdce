"""Contributions to the loss: their mean is the loss and their spread its sampling error."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.measures.contributions import loss_contributions
from landscape.objective.objective import Objective


def model():
    torch.manual_seed(0)
    return nn.Linear(4, 3).double()


def data(count=30):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=generator)


def of(loss=None, samples=None, **options):
    options = {"batch_size": 7, "device": "cpu", "dtype": torch.float64, **options}
    return Objective(model(), samples or data(), loss, **options)


CLASS_WEIGHTS = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize(
    "problem",
    [
        lambda: of(),
        lambda: of(nn.CrossEntropyLoss(weight=CLASS_WEIGHTS)),
        lambda: of(nn.CrossEntropyLoss(ignore_index=1)),
        lambda: of(step=lambda model, batch: F.cross_entropy(model(batch[0]), batch[1])),
    ],
    ids=["equal", "class weights", "ignored labels", "step"],
)
def test_mean_and_spread_are_loss_and_sampling_error(problem):
    objective = problem()
    theta = objective.theta + 0.1
    loss, contributions = loss_contributions(objective, theta)
    expected = objective.evaluate(theta)
    assert loss == pytest.approx(expected.loss, rel=1e-14)
    assert contributions.mean() == pytest.approx(loss, rel=1e-12)
    spread = contributions.std(ddof=1) / math.sqrt(len(contributions))
    assert spread == pytest.approx(expected.loss_stderr, rel=1e-10)


def test_of_equal_samples_they_are_the_losses():
    objective = of()
    inputs, targets = data()
    losses = F.cross_entropy(model()(inputs), targets, reduction="none").detach().numpy()
    np.testing.assert_allclose(loss_contributions(objective)[1], losses, rtol=1e-12)


def test_the_weights_are_left_as_they_were():
    objective = of()
    loss_contributions(objective, objective.theta + 1)
    assert torch.equal(objective.live_weights, objective.theta)
