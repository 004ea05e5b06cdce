"""Convolutions with a BatchNorm after them, in float64."""

import torch
from torch import Tensor, nn

from tests.oracles.cases import randomise

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def prepared(model):
    return randomise(model.double()).eval()


def pair(**options):
    return prepared(nn.Sequential(nn.Conv2d(4, 6, 3, **options), nn.BatchNorm2d(6)))


def pictures(channels=4, side=7, dimensions=2, count=3):
    return torch.randn(count, channels, *[side] * dimensions, dtype=torch.float64)


def close(actual, expected):
    scale = float(expected.abs().max())
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-13 * scale)


def move(model, factor=0.5):
    """Other weights and running statistics, written in place."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(factor * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(torch.randn_like(buffer))
            if name.endswith("running_var"):
                buffer.mul_(1 + torch.rand_like(buffer))


def count_norms(model):
    return sum(isinstance(layer, tuple(NORMS.values())) for layer in model.modules())


class NamedArguments(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(input=x))
