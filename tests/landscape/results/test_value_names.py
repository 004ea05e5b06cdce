"""Names of values: none is of two things, and none is read as another's."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.errors import InputError
from landscape.objective.objective import Objective
from landscape.results.value_names import value_names

DATA = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 2


def objective(**keywords):
    return Objective(nn.Linear(3, 2), DATA, device="cpu", **keywords)


def test_values_of_every_split_in_order():
    assert value_names(["train", "test"], ["mae"]) == [
        *("train_loss", "train_acc", "train_loss_stderr", "train_mae"),
        *("test_loss", "test_acc", "test_loss_stderr", "test_mae"),
    ]


@pytest.mark.parametrize("name", ["loss", "acc", "loss_stderr", "", "a/b"])
def test_a_metric_of_a_taken_name_is_refused(name):
    with pytest.raises(InputError, match="a metric"):
        objective(metrics={name: F.cross_entropy})


def test_metrics_that_read_as_a_split_are_refused():
    assert objective(metrics={"aux_loss": F.cross_entropy}).metrics.keys() == {"aux_loss"}
    with pytest.raises(InputError, match="aux_loss and aux_acc would read as those of a split"):
        objective(metrics={"aux_acc": F.cross_entropy, "aux_loss": F.cross_entropy})


@pytest.mark.parametrize(
    ("own", "origin"),
    [("train", None), ("train", {"split": "train"}), ("test", {"split": "val"})],
)
def test_the_own_split_is_not_replaced(own, origin):
    with pytest.raises(InputError, match=f"extra_splits can't have '{own}'"):
        objective(extra_splits={own: DATA}, origin=origin)
    other = {"train": "test", "test": "train"}[own]
    assert [*objective(extra_splits={other: DATA}, origin=origin).extra_splits] == [other]


@pytest.mark.parametrize(
    ("splits", "metrics", "name"),
    [
        (("train", "train_x"), ("x_loss",), "train_x_loss"),
        (("min",), ("eig",), "min_eig"),
    ],
)
def test_values_of_one_name_are_refused(splits, metrics, name):
    with pytest.raises(InputError, match=f"two values would be called {name} "):
        value_names(splits, metrics)
