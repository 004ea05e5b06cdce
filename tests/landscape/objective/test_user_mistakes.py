"""Mistakes of a user's loss, metric, step or model are one line, and what is right is measured."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.errors import InputError
from landscape.objective.losses import brier
from landscape.objective.objective import Objective

INPUTS = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(10) % 4
NUMBERS = torch.arange(10.0)[:, None]


def objective(targets=CLASSES, outputs=4, **keywords):
    torch.manual_seed(0)
    return Objective(nn.Linear(3, outputs), (INPUTS, targets), device="cpu", **keywords)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda outputs, targets: 3.0, "metric m that returns a scalar tensor.*of type float"),
        (lambda outputs, targets: outputs.mean(1), r"a scalar tensor.*of shape \(10,\)"),
        (lambda outputs, targets: outputs.nope(), "the metric m does not take outputs .*nope"),
        (lambda outputs, targets: missing, "the metric m does not take .*missing"),  # noqa: F821
    ],
    ids=["float", "vector", "raises", "name"],
)
def test_a_metric_that_is_none(metric, message, verify):
    with pytest.raises(InputError, match=message):
        objective(metrics={"m": metric}, verify=verify)


def test_a_metric_of_classes_on_numbers():
    with pytest.raises(InputError, match=r"the metric brier does not take outputs .*\(10, 1\)"):
        objective(NUMBERS, 1, metrics={"brier": brier})


@pytest.mark.parametrize("kind", [NameError, AssertionError, ZeroDivisionError, KeyError])
def test_errors_of_a_loss_and_a_step(kind):
    def fails(first, second):
        raise kind("in the user's code")

    with pytest.raises(InputError, match="the loss fails does not take .*in the user's code"):
        objective(loss=fails)
    with pytest.raises(InputError, match="step does not take the batch .*in the user's code"):
        objective(step=fails)


def test_a_metric_that_would_broadcast():
    with pytest.raises(InputError, match="which mae would broadcast to all pairs"):
        objective(metrics={"mae": F.l1_loss})


class Outputs(dict):
    """Outputs that name their logits, as Hugging Face's do."""

    @property
    def logits(self):
        return self["logits"]


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 4)

    def forward(self, x):
        return Outputs(logits=self.layer(x))


def test_metrics_of_outputs_that_name_their_logits():
    model = Named()
    measured = Objective(model, (INPUTS, CLASSES), device="cpu", metrics={"brier": brier})
    expected = brier(model.layer(INPUTS), CLASSES).item()
    assert measured.evaluate().metrics["brier"] == pytest.approx(expected, rel=1e-6)


@dataclass
class Scaled:
    """A loss that has no hash, as dataclasses have none."""

    factor: float

    def __call__(self, outputs, targets):
        return self.factor * F.cross_entropy(outputs, targets)


def test_a_loss_without_a_hash():
    expected = objective().loss()
    assert objective(loss=Scaled(2.0)).loss() == pytest.approx(2 * expected, rel=1e-6)


def test_buffers_without_values():
    model = nn.Linear(3, 4)
    model.register_buffer("shift", torch.ones(3, device="meta"))
    with pytest.raises(InputError, match="shift of Linear is on the meta device"):
        Objective(model, (INPUTS, CLASSES), device="cpu")
    lazy = nn.Sequential(nn.Linear(3, 4), nn.LazyBatchNorm1d(affine=False))
    with pytest.raises(InputError, match=r"1.running_mean of Sequential has no shape yet"):
        Objective(lazy, (INPUTS, CLASSES), device="cpu")
