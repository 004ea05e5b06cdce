"""A user's network and metrics, and the network at a point of a result file."""

import h5py
import torch
import torch.nn.functional as F

GRID = ("--x=-1:1:3", "--y=-0.5:1.5:5")


LINE = ("--x=-1:1:3",)


QUIET = ("--format", "none")


USER_FILE = """\
import torch
from torch import nn
import torch.nn.functional as F

def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 7))

def data(split):
    generator = torch.Generator().manual_seed(len(split))
    return torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 7

def margin(outputs, targets):
    return (outputs.gather(1, targets[:, None])[:, 0] - outputs.mean(1)).mean()

def smooth(outputs, targets):
    return F.cross_entropy(outputs, targets, label_smoothing=0.3)

def summed(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="sum")
"""


def of_split(split):
    generator = torch.Generator().manual_seed(len(split))
    return torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 7


def moved(path, x, y=None):
    """The user's network at a point of a result file, made of the file's own directions."""
    state = torch.load(path.parents[2] / "net.pth", weights_only=True)
    with h5py.File(path) as file:
        for number, name in enumerate(state):
            state[name] = state[name] + x * torch.from_numpy(file[f"xdirection/{number}"][()])
            if y is not None:
                state[name] = state[name] + y * torch.from_numpy(file[f"ydirection/{number}"][()])

    def forward(inputs):
        hidden = F.relu(F.linear(inputs.flatten(1), state["1.weight"], state["1.bias"]))
        return F.linear(hidden, state["3.weight"], state["3.bias"])

    return forward


def brier(outputs, targets):
    rest = outputs.softmax(1) - F.one_hot(targets, 7)
    return rest.square().sum(1).mean().item()


def top5_error(outputs, targets):
    order = outputs.argsort(1, descending=True)[:, :5]
    return 100 * (1 - (order == targets[:, None]).any(1).float().mean().item())


def confidence(outputs, _targets):
    return outputs.softmax(1).max(1).values.mean().item()


def margin(outputs, targets):
    right = outputs[torch.arange(len(targets)), targets]
    return (right - outputs.mean(1)).mean().item()


METRICS = {"brier": brier, "top5_error": top5_error, "confidence": confidence, "margin": margin}
