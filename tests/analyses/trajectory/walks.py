"""Networks along a noisy path, as saved epochs."""

import copy

import numpy as np
import torch

from analyses.slices.grid import Axis
from landscape.objective.objective import Objective
from tests.analyses.problems import samples

EPOCHS = 12  # so that the order of numbers is not that of letters
GRID = {"x": Axis(-1.0, 2.0, 4), "y": Axis(-0.5, 1.0, 7)}


def walk(start, count=EPOCHS):
    """Networks along a noisy way, from ``start``, with statistics that move too."""
    source = torch.Generator().manual_seed(5)
    shape = {name: t for name, t in start.state_dict().items() if t.is_floating_point()}
    straight, waving = (
        {name: torch.randn(t.shape, generator=source).to(t) for name, t in shape.items()}
        for _ in range(2)
    )
    networks = []
    for k in range(count):
        model = copy.deepcopy(start)
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                noise = 0.01 * torch.randn(tensor.shape, generator=source).to(tensor)
                step = 0.03 * (k * straight[name] + 3 * np.sin(k / 3) * waving[name]) + noise
                tensor += step.abs() if name.endswith("running_var") else step
        networks.append(model)
    return networks


def save(networks, folder):
    """As the original tool keeps them; returns the pattern."""
    for k, model in enumerate(networks):
        torch.save(model.state_dict(), folder / f"model_{k}.pt")
    return str(folder / "model_*.pt")


def vector(model, problem):
    parameters = dict(model.named_parameters())
    names = problem.layout.names
    return np.concatenate([parameters[n].detach().double().numpy().ravel() for n in names])


def in_double(model):
    return Objective(
        model, samples(), batch_size=10, device="cpu", dtype=torch.float64,
        origin={"label": "walk", "split": "train"},
    )  # fmt: skip


def basis(result, problem):
    """The two directions of a result, of shape (2, P)."""
    count = range(len(problem.layout.shapes))
    return np.array(
        [
            np.concatenate([result.directions[f"{d}direction/{k}"].ravel() for k in count])
            for d in "xy"
        ]
    )
