"""The pictures and the network on which :mod:`benchmarks.coverage` measures.

The population is a set of real pictures; a sample is drawn from it with replacement, so that the
truth is the mean over all of them. A small network is trained on a part of it, in float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.data.samples import TensorSamples
from landscape.data.sources.digits import digits
from landscape.estimates import Estimate
from landscape.objective.objective import Objective

HIDDEN = 12
EPOCHS = 150


@dataclass(frozen=True)
class Measured:
    """What was measured: the estimates of each repeat, of one number or of a curve's points."""

    estimates: Sequence[Sequence[Estimate]]
    truth: float | NDArray[np.float64]
    note: str


def small_network(seed: int = 0) -> nn.Sequential:
    """A perceptron of two hidden layers for pictures of 8x8 pixels and ten classes."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, HIDDEN),
        nn.GELU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.GELU(),
        nn.Linear(HIDDEN, 10),
    ).double()


@dataclass(frozen=True, eq=False)
class Population:
    """All pictures with their labels, and a network that was trained on them.

    Attributes:
        model: the network.
        data: the pictures, whose ``inputs`` are pixels and which are normalised when read.
        inputs: these, normalised, in float64.
    """

    model: nn.Sequential
    data: TensorSamples
    inputs: Tensor

    @classmethod
    def trained(cls) -> "Population":
        """Train the network on the training pictures; it is far from perfect on the others."""
        data = digits("train")
        inputs = data.fetch(torch.arange(len(data))).double()
        model = small_network()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(EPOCHS):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[::4]), data.targets[::4]).backward()
            optimizer.step()
        return cls(model.requires_grad_(True).eval(), data, inputs)

    def draw(self, count: int, seed: int) -> Tensor:
        """``count`` numbers of pictures, independent of each other."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(len(self.inputs), (count,), generator=generator)

    def objective(self, chosen: Tensor | None = None) -> Objective:
        """The loss over some pictures, or over all."""
        chosen = torch.arange(len(self.inputs)) if chosen is None else chosen
        return Objective(
            self.model,
            (self.inputs[chosen], self.data.targets[chosen]),
            device="cpu",
            dtype=torch.float64,
            verify=False,
        )

    def samples(self, count: int, repeats: int) -> list[Objective]:
        """The loss over a sample for each repeat."""
        return [self.objective(self.draw(count, seed)) for seed in range(repeats)]

    @cached_property
    def correct(self) -> Tensor:
        """Which pictures are classified correctly."""
        with torch.no_grad():
            return self.model(self.inputs).argmax(1) == self.data.targets
