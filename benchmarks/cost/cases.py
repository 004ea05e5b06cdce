"""The small networks on which costs are counted: four sizes of each of three numbers.

The network is a ViT of one block on pictures of 8 x 8; it has been trained for a few steps, so that
its Hessian has leading eigenvalues. Counts are of operations and bytes, not of time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from analyses import (
    attention,
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
    robustness,
    sharpness,
    similarity,
    sparsity,
    surface,
    trajectory,
)
from landscape.checkpoints.weights import weights_of
from landscape.directions.derived import toward
from landscape.models.vit import VisionTransformer
from landscape.objective.objective import Objective

WIDTHS = (16, 24, 36, 54)
SAMPLES = (16, 32, 64, 128)
BATCH = 16
# Four patches and the class token.
TOKENS = 5
MLP_RATIO = 2
EPOCHS = 4
STEPS = 20


@dataclass(frozen=True)
class Size:
    """The width of the network, the number of samples, and what the analysis is asked for."""

    width: int = 24
    samples: int = 16
    value: int = 0


@dataclass(frozen=True)
class Case:
    """An analysis with four values of what it is asked for, the second of them for other sizes.

    ``settings`` makes its settings from such a value and the files of saved epochs; ``k_of`` is
    what k is for it.
    """

    values: tuple[int, ...]
    settings: Callable[[int, tuple[str, ...]], Any]
    k_of: Callable[[int], int] = lambda value: value

    def sizes(self) -> Iterator[tuple[str, Size]]:
        """What varies and the size, four of each."""
        base = self.values[min(1, len(self.values) - 1)]
        for width in WIDTHS:
            yield "parameters", Size(width=width, value=base)
        for samples in SAMPLES:
            yield "samples", Size(samples=samples, value=base)
        if len(self.values) > 1:
            for value in self.values:
                yield "k", Size(value=value)


def _square(side: int) -> int:
    return side * side


CASES: dict[str, Case] = {
    "surface": Case(
        (3, 4, 6, 8),
        lambda side, _: surface.Settings(x=(-1, 1, side), y=(-1, 1, side)),
        _square,
    ),
    "line": Case((7, 15, 31, 63), lambda count, _: line.Settings(x=(-1, 1, count))),
    "interpolate": Case((7, 15, 31, 63), lambda count, _: interpolate.Settings(x=(0, 1, count))),
    "trajectory": Case(
        (3, 4, 6, 8), lambda side, files: trajectory.Settings(epochs=files, points=side), _square
    ),
    "hessian": Case(
        (1, 2, 4, 8),
        lambda probes, _: hessian.Settings(
            top=1, probes=probes, density_steps=4, tol=0.05, components="none", max_steps=8
        ),
    ),
    "components": Case((2, 3, 4, 6), lambda n, _: components.Settings(tol=0.01, max_steps=n)),
    "minibatch": Case(
        (1, 2, 4, 8),
        lambda count, _: minibatch.Settings(minibatches=count, minibatch_size=8, minibatch_top=1),
    ),
    "sharpness": Case((1, 2, 3, 4), lambda count, files: sharpness.Settings(epochs=files[:count])),
    "ntk": Case(
        (4, 8, 12, 16),
        lambda count, _: ntk.Settings(
            ntk_at="checkpoint", ntk_samples=count, ntk_outputs=4, ntk_seeds=2
        ),
    ),
    "flatness": Case((1, 2, 4, 8), lambda n, _: flatness.Settings(draws=n, ascent_steps=1)),
    "norms": Case((0,), lambda *_: norms.Settings()),
    "sparsity": Case((0,), lambda *_: sparsity.Settings()),
    "recursion": Case((2, 3, 4, 6), lambda n, _: recursion.Settings(recursion_samples=n)),
    "attention": Case((1, 2, 4, 8), lambda count, _: attention.Settings(pictures=count)),
    "similarity": Case((4, 8, 12, 16), lambda n, _: similarity.Settings(cka_samples=n)),
    "linearity": Case((3, 5, 9, 17), lambda count, _: linearity.Settings(segment=count)),
    "robustness": Case(
        (1, 2, 4, 8),
        lambda steps, _: robustness.Settings(
            corruptions="contrast", attack_radius=(4.0,), attack_steps=steps
        ),
    ),
}


def network(width: int, seed: int = 0) -> VisionTransformer:
    """A ViT of one block, trained for a few steps from a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = VisionTransformer(
            image_size=8, patch_size=4, dim=width, depth=1, heads=2, mlp_dim=MLP_RATIO * width,
            num_classes=10,
        )  # fmt: skip
    images, targets = pictures(32)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(model(images), targets).backward()
        optimizer.step()
    return model


def pictures(count: int) -> tuple[Tensor, Tensor]:
    """Random pictures and their classes."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 8, 8, generator=generator), torch.arange(count) % 10


def objective_of(size: Size) -> Objective:
    """The loss of the network of a size."""
    return Objective(
        network(size.width), pictures(size.samples), batch_size=BATCH, device="cpu", compile="off"
    )


def measurement(
    name: str, size: Size, objective: Objective, folder: Path
) -> tuple[Any, dict[str, Any]]:
    """The settings of an analysis of a size, and what else it takes from Python.

    Saved epochs are written to ``folder``, where an analysis needs them.
    """
    files: tuple[str, ...] = ()
    if name in ("trajectory", "sharpness"):
        for epoch in range(EPOCHS):
            files += (str(folder / f"epoch={epoch}.ckpt"),)
            torch.save(network(size.width, epoch).state_dict(), files[-1])
    keywords: dict[str, Any] = {}
    if name == "interpolate":
        other = weights_of(network(size.width, 1), objective)
        keywords["direction"] = toward(objective, other)
    return CASES[name].settings(size.value, files), keywords
