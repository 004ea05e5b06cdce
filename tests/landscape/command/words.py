"""Words of command lines, and what is compared, in several tests of landscape-train."""

import torch

from landscape.checkpoints.run import RunDirectory

FILES = {"config.json", "metrics.csv", "last.pt", "best.pt"}
SIZES = ("--model-args", "depth=1", "dim=16", "mlp_dim=16", "dropout=0.1")
SMALL = ("--model", "vit-tiny", *SIZES, "--data", "digits")
FAST = (*SMALL, "--epochs", "2", "-b", "256", "--rho", "0.1")

KEEPING = (*SMALL, "--epochs", "3", "-b", "512", "--save-every", "2")
KEPT = {"epochs/0000.pt", "epochs/0002.pt", "epochs/0003.pt"}

USER_FILE = """\
import torch
from torch import nn

def net(width=6, num_classes=3):
    layers = nn.Linear(4, width), nn.ReLU(), nn.Linear(width, num_classes)
    return nn.Sequential(nn.Flatten(), *layers)

def tokens():
    return nn.Linear(2, 3)

def broken_net():
    return 1 / 0

def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 3

def regression():
    inputs, _ = data()
    return inputs, inputs.flatten(1).sum(1)

def unlike():
    inputs, targets = data()
    return {"train": (inputs, targets), "test": (inputs, targets + 7)}
"""


def weights(folder, name="last.pt"):
    return RunDirectory(folder).load(name)["model"]


def assert_same_weights(actual, expected):
    assert actual.keys() == expected.keys()
    for key in actual:
        assert torch.equal(actual[key], expected[key]), key
