"""One small network, and what every analysis says of it."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import nn

from analyses import (
    components,
    flatness,
    hessian,
    interpolate,
    line,
    linearity,
    minibatch,
    norms,
    ntk,
    recursion,
    similarity,
    sparsity,
    surface,
)
from analyses.catalog import known_analyses
from analyses.slices.grid import Axis
from landscape.checkpoints.weights import weights_of
from landscape.directions.derived import toward
from landscape.objective.objective import Objective

LABELS = ("plain", "sam & co", "dritter", "<four>", "fünf", "six_6")

# Small, and nothing at its default; the grid is neither square nor symmetric.
SETTINGS = {
    "surface": surface.Settings(
        x=Axis(-1.0, 2.0, 4), y=Axis(-0.5, 0.75, 6), seed=4, normalize="layer"
    ),
    "line": line.Settings(x=Axis(-1.0, 2.0, 7), seed=5, policy="all"),
    "interpolate": interpolate.Settings(x=Axis(-0.5, 1.5, 9)),
    "hessian": hessian.Settings(top=3, probes=2, density_steps=6, seed=6, tol=1e-5),
    "components": components.Settings(group=("first=^0", "rest=^[24]"), tol=1e-5, l2=0.02, seed=3),
    "minibatch": minibatch.Settings(minibatches=4, minibatch_size=6, minibatch_top=3, l2=0.01),
    "ntk": ntk.Settings(ntk_at="checkpoint", ntk_samples=6, ntk_outputs=2, ntk_seeds=2, seed=2),
    "flatness": flatness.Settings(
        noise=("adaptive", "fixed", "filter"),
        sigmas=(0.01, 0.05),
        relative_sigmas=(0.1, 0.3, 0.5),
        draws=4,
        radii=(0.05, 0.2),
        adaptive_radii=(0.3, 0.6),
        linf_radii=(0.01, 0.02),
        ascent_steps=4,
        policy="all",
        perturb=("bias=zero",),
        seed=9,
    ),
    "norms": norms.Settings(),
    "sparsity": sparsity.Settings(thresholds=(0.2, 0.5), seed=3),
    "recursion": recursion.Settings(recursion_samples=3, seed=2),
    "similarity": similarity.Settings(cka_samples=12, rescale=3.0, seed=4),
    "linearity": linearity.Settings(segment=5, pairs=11, seed=8),
}
NAMES = tuple(SETTINGS)
# The others need a run or pictures.
assert set(known_analyses()) - set(NAMES) == {
    "trajectory",
    "sharpness",
    "curves",
    "attention",
    "robustness",
}


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
    if name == "interpolate":
        other = weights_of(network(seed + 1), model)
        return interpolate.compute(model, SETTINGS[name], direction=toward(model, other))
    return known_analyses()[name].compute(model, SETTINGS[name])


def results(name: str, count: int):
    return [result(name, seed) for seed in range(count)]


def with_loss(name: str, change, seed: int = 0):
    """The result with its losses replaced by ``change`` of them."""
    before = result(name, seed)
    return having_loss(before, np.array(change(before.loss.copy())))


def having_loss(before, loss, **others):
    """A slice with other losses, and other values by name (``acc``, ``loss_stderr``)."""
    changed = {f"{before.split}_{name}": value for name, value in {"loss": loss, **others}.items()}
    return replace(before, values={**before.values, **changed})
