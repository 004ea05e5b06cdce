"""A small training with a shuffling loader and dropout, and what must be the same after it."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make():
    """A network with what training changes: weights, running statistics, dropped units."""
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 3)
    )


def samples():
    """24 samples."""
    generator = torch.Generator().manual_seed(7)
    inputs = torch.randn(24, 6, generator=generator)
    return inputs, torch.randint(3, (24,), generator=generator)


def loader(size=8):
    """The samples in batches, shuffled by the global random state."""
    return DataLoader(TensorDataset(*samples()), batch_size=size, shuffle=True)


class Noisy:
    """A training that also draws from numpy's and Python's global generators."""

    def __init__(self):
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        self.model = make()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.02)
        self.losses = []

    def train(self, epochs=2, tracker=None):
        """Train, calling the tracker after each step; returns everything that a step depends on."""
        for _ in range(epochs):
            for inputs, targets in loader():
                inputs = inputs + 0.1 * np.random.rand() + 0.1 * random.random()  # noqa: NPY002
                self.optimizer.zero_grad()
                loss = F.cross_entropy(self.model(inputs), targets)
                loss.backward()
                self.optimizer.step()
                self.losses.append(loss.item())
                if tracker is not None:
                    tracker.step(self.model, self.optimizer)
        return self.state()

    def state(self):
        """Weights, buffers, gradients, modes, optimizer, losses and random state, as text."""
        return repr(
            [
                [
                    (name, tensor.numpy().tobytes())
                    for name, tensor in self.model.state_dict().items()
                ],
                [
                    None if p.grad is None else p.grad.numpy().tobytes()
                    for p in self.model.parameters()
                ],
                [module.training for module in self.model.modules()],
                [len(module._forward_hooks) for module in self.model.modules()],
                [
                    [t.numpy().tobytes() for t in state.values()]
                    for state in self.optimizer.state.values()
                ],
                self.losses,
                torch.get_rng_state().numpy().tobytes(),
                str(np.random.get_state()),  # noqa: NPY002
                random.getstate(),
            ]
        )
