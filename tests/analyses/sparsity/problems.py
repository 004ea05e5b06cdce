"""Networks whose activations are counted."""

import torch
from torch import nn

from analyses import sparsity
from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME


def measure(model, inputs, targets=None, **options):
    if targets is None:
        targets = torch.zeros(len(inputs), dtype=torch.int64)
    return sparsity.compute(Objective(model, (inputs, targets), device="cpu", **options))


def case_objective(name):
    case = BY_NAME[name]
    return Objective(
        case.model(), case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )


def planted():
    """A ReLU layer of four neurons: always active, half of the time, never, and never but once."""
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.0], [1.0], [0.0], [1.0]]))
        model[0].bias.copy_(torch.tensor([2.0, 0.0, -1.0, -9.5]))
    inputs = torch.arange(-10, 11).float().unsqueeze(1)
    inputs = inputs[inputs.flatten() != 0]
    return model, (inputs, torch.arange(20) % 2)
