"""Code as hashes: the same for what computes the same, another for each thing that changes it."""

import threading
from dataclasses import dataclass
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.results.code import LIBRARY, UNKNOWN, describe_function, describe_network


def scaled(factor, table=None):
    def loss(outputs, targets):
        return factor * F.cross_entropy(outputs, targets) + (0 if table is None else table.sum())

    return loss


@dataclass
class Weighted:
    """A loss object without a hash."""

    factor: float

    def __call__(self, outputs, targets):
        return self.factor * F.cross_entropy(outputs, targets)


class Smoothed(nn.CrossEntropyLoss):
    """A subclass of torch's loss."""


def made(source):
    scope = {"F": F, "SCALE": 1.0}
    exec(source, scope)
    return scope["loss"]


SAME = {
    "a function of torch": lambda: F.cross_entropy,
    "a partial": lambda: partial(F.cross_entropy, label_smoothing=0.1),
    "a closure": lambda: scaled(2.0, torch.ones(3)),
    "an object without a hash": lambda: Weighted(2.0),
    "a loss with weights": lambda: nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0])),
    "a subclass": lambda: Smoothed(label_smoothing=0.1),
    "text without a file": lambda: made("def loss(o, t): return SCALE * F.mse_loss(o, t)"),
}
OTHERS = {
    "a keyword": (
        partial(F.cross_entropy, label_smoothing=0.1),
        partial(F.cross_entropy, label_smoothing=0.2),
    ),
    "a number in a closure": (scaled(2.0), scaled(3.0)),
    "a tensor in a closure": (scaled(1.0, torch.ones(3)), scaled(1.0, torch.zeros(3))),
    "an attribute": (Weighted(1.0), Weighted(2.0)),
    "class weights": (
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0])),
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0])),
    ),
    "an ignored label": (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(ignore_index=3)),
    "lambdas of a line": (lambda o, t: (o - t).sum(), lambda o, t: (o + t).sum()),  # fmt: skip
    "code without a file": (
        made("def loss(o, t): return F.mse_loss(o, t)"),
        made("def loss(o, t): return 7 * F.mse_loss(o, t)"),
    ),
    "a global": (
        made("SCALE = 2.0\ndef loss(o, t): return SCALE * F.mse_loss(o, t)"),
        made("SCALE = 3.0\ndef loss(o, t): return SCALE * F.mse_loss(o, t)"),
    ),
    "a function that it calls": (
        made("def f(o): return o\ndef loss(o, t): return f(o).mean()"),
        made("def f(o): return 2 * o\ndef loss(o, t): return f(o).mean()"),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_what_computes_the_same_is_described_alike(name):
    assert describe_function(SAME[name]()) == describe_function(SAME[name]())


@pytest.mark.parametrize("name", OTHERS)
def test_what_computes_something_else_is_described_otherwise(name):
    first, second = OTHERS[name]
    assert describe_function(first) != describe_function(second)


def test_a_function_of_a_library_is_known_by_its_name():
    assert describe_function(F.cross_entropy) == {"torch.nn.functional.cross_entropy": LIBRARY}
    parts = describe_function(Smoothed())
    assert parts["torch.nn.modules.loss.CrossEntropyLoss"] == LIBRARY
    assert len(parts["Smoothed"]) == 64


def test_what_is_not_known_is_named():
    guard = threading.Lock()

    def loss(outputs, targets):
        with guard:
            return F.cross_entropy(outputs, targets)

    parts = describe_function(loss)
    assert parts["not known"] == "lock"
    assert describe_function(guard) == {"lock": UNKNOWN}


def test_a_closure_that_holds_itself():
    def loss(outputs, targets):
        return (
            F.cross_entropy(outputs, targets) if outputs.dim() == 2 else loss(outputs[0], targets)
        )

    assert describe_function(loss) == describe_function(loss)


class Net(nn.Module):
    """A network with a setting that its repr does not show."""

    def __init__(self, scale):
        super().__init__()
        self.layer, self.scale = nn.Linear(2, 2), scale

    def forward(self, x):
        return self.scale * self.layer(x)


def test_a_network_is_described_without_its_weights():
    first, second = Net(1.0), Net(1.0)
    assert not torch.equal(first.layer.weight, second.layer.weight)
    assert describe_network(first) == describe_network(second)
    assert describe_network(first) != describe_network(Net(2.0))
    assert "Net" in describe_network(first)
    layers = [nn.Sequential(nn.Linear(2, 2), layer) for layer in (nn.ReLU(), nn.Tanh())]
    assert describe_network(layers[0]) != describe_network(layers[1])
