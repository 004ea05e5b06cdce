"""One small network, and what every analysis says of it."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import nn

from analyses import hessian, line, sparsity, surface
from analyses.grid import Axis
from analyses.table import ANALYSES
from landscape.objective import Objective

LABELS = ("plain", "sam & co", "dritter", "<four>", "fünf", "six_6")

# Small, and nothing at its default; the grid is neither square nor symmetric.
SETTINGS = {
    "surface": surface.Settings(
        x=Axis(-1.0, 2.0, 4), y=Axis(-0.5, 0.75, 6), seed=4, normalize="layer"
    ),
    "line": line.Settings(x=Axis(-1.0, 2.0, 7), seed=5, one_dimensional="layer"),
    "hessian": hessian.Settings(top=3, probes=2, density_steps=6, seed=6, tol=1e-5),
    "sparsity": sparsity.Settings(),
}
NAMES = tuple(SETTINGS)
assert set(NAMES) == set(ANALYSES)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)
        )


def samples(count: int = 25) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return torch.randn(count, 4), torch.randint(3, (count,))


def objective(label: str = "plain", seed: int = 0, dtype: torch.dtype = torch.float32, **origin):
    """A ReLU network of three classes, on batches of uneven size."""
    return Objective(
        network(seed),
        samples(),
        batch_size=10,
        device="cpu",
        dtype=dtype,
        origin={"label": label, "split": "train", **origin},
    )


@cache
def result(name: str, seed: int = 0):
    """The result of an analysis by name, of the network made from a seed."""
    model = objective(LABELS[seed], seed, model="mlp", model_args={"layers": [4, 6, 5, 3]})
    return ANALYSES[name].compute(model, SETTINGS[name])


def results(name: str, count: int):
    return [result(name, seed) for seed in range(count)]


def with_loss(name: str, change, seed: int = 0):
    """The result with its losses replaced by ``change`` of them."""
    before = result(name, seed)
    return replace(before, loss=np.array(change(before.loss.copy())))
