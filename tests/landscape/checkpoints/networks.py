"""Small networks whose weights the tests of checkpoints save and load."""

import torch
from torch import Tensor, nn

from tests.oracles.cases import randomise


class Net(nn.Module):
    """A convolution, a BatchNorm and two dense layers."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.bn = nn.BatchNorm2d(2)
        self.fc1 = nn.Linear(2, 4)
        self.fc2 = nn.Linear(4, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.fc2(torch.relu(self.fc1(x)))


def net() -> nn.Module:
    """A network with random weights and statistics."""
    return randomise(Net())


def state() -> dict[str, Tensor]:
    """The state dict of a network with random weights."""
    return dict(net().state_dict())


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with a prefix before every name."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def assert_weights(actual: nn.Module | dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Two state dicts have the same names and values."""
    if isinstance(actual, nn.Module):
        actual = dict(actual.state_dict())
    assert set(actual) == set(expected)
    for name, value in expected.items():
        assert torch.equal(actual[name], value), name
