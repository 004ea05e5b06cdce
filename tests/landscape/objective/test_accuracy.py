"""The accuracy is that of classes, over the labels that count; where there are none it is nan."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.objective.objective import Objective

INPUTS = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(40) % 4


def network(outputs):
    torch.manual_seed(1)
    return nn.Linear(3, outputs)


def accuracy(outputs, targets, loss=None):
    return Objective(network(outputs), (INPUTS, targets), loss, device="cpu").evaluate().accuracy


@pytest.mark.parametrize(
    ("label", "loss"),
    [
        (-100, F.cross_entropy),
        (255, nn.CrossEntropyLoss(ignore_index=255)),
        (255, partial(F.cross_entropy, ignore_index=255)),
        (255, lambda outputs, targets: F.cross_entropy(outputs, targets, ignore_index=255)),
        (0, nn.CrossEntropyLoss(ignore_index=0)),
        (0, partial(F.cross_entropy, ignore_index=0)),
    ],
    ids=["default", "module", "partial", "lambda", "class 0, module", "class 0, partial"],
)
def test_ignored_labels_do_not_count(label, loss):
    targets = torch.where(torch.arange(40) < 15, label, CLASSES)
    counted = targets != label
    hits = network(4)(INPUTS).argmax(1) == targets
    expected = 100 * hits[counted].double().mean().item()
    assert 0 < expected < 100
    assert accuracy(4, targets, loss) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("outputs", "loss"),
    [
        (1, lambda o, t: F.binary_cross_entropy_with_logits(o.squeeze(1), (t > 1).float())),
        (1, lambda o, t: F.poisson_nll_loss(o.squeeze(1), t.float())),
        (4, nn.PoissonNLLLoss()),
    ],
    ids=["binary", "counts", "torch's loss of numbers"],
)
def test_without_classes_there_is_no_accuracy(outputs, loss):
    targets = CLASSES if outputs == 1 else CLASSES[:4]
    inputs = INPUTS[: len(targets)]
    objective = Objective(network(outputs), (inputs, targets), loss, device="cpu", verify=False)
    assert math.isnan(objective.evaluate().accuracy)
