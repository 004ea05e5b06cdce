"""What the tests of directions and of their files draw from."""

import torch
from torch import nn

from landscape.directions.direction import random_direction
from landscape.parameters.layout import ParameterLayout, flatten


class Everything(nn.Module):
    """Tensors of 0 to 4 dimensions; it is never called."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(4, 3)
        self.convolution = nn.Conv2d(2, 5, 3)
        self.sequence = nn.Conv1d(3, 4, 2, bias=False)
        self.tokens = nn.Parameter(torch.randn(1, 6, 4))
        self.temperature = nn.Parameter(torch.tensor(-1.7))


def layout_and_theta(model=None, dtype=torch.float64):
    model = (model or Everything()).to(dtype)
    return ParameterLayout.of(model), flatten(p.detach() for p in model.parameters())


def draw(layout, theta, seed=3, **how):
    return random_direction(layout, theta, torch.Generator().manual_seed(seed), **how)


def by_name(layout, vector):
    return dict(zip(layout.names, layout.views(vector), strict=True))
