"""Models and data that the tests of this folder share."""

from functools import partial

import pytest
import torch
from torch import nn

from landscape.objective.objective import Objective
from tests.oracles.cases import CASES, randomise

# The oracles live on the CPU, so the objectives do too, whatever the machine has.
Objective64 = partial(Objective, device="cpu", dtype=torch.float64)
Objective32 = partial(Objective, device="cpu", dtype=torch.float32)

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def mlp(inputs=5, classes=3):
    return randomise(nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, classes)).double())


def vectors(count=12, inputs=5, classes=3):
    return torch.randn(count, inputs, dtype=torch.float64), torch.randint(classes, (count,))


def batches(inputs, targets, sizes):
    return list(zip(inputs.split(sizes), targets.split(sizes), strict=True))


def close(actual, expected, rtol):
    """Equal up to ``rtol`` of the largest entry: a zero among them has no relative error."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=rtol * float(expected.abs().max()))
