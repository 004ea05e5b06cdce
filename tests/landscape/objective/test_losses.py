import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.errors import InputError
from landscape.objective.losses import (
    LOSSES,
    METRICS,
    brier,
    confidence,
    count_correct,
    default_loss,
    resolve_loss,
    resolve_metrics,
    sample_losses,
    softmax_squared_error,
    squared_error,
    top5_error,
)
from landscape.runtime import choices

# Softmax of these is (1/2, 1/4, 1/4) and (1/10, 1/10, 8/10).
OUTPUTS = torch.tensor([[2.0, 1.0, 1.0], [1.0, 1.0, 8.0]], dtype=torch.float64).log()
TARGETS = torch.tensor([0, 1])


# ------------------------------------------------------------------------------ losses by hand


def test_squared_error_by_hand():
    outputs, targets = torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([[1.0, 0.0], [3.0, 1]])
    assert squared_error(outputs, targets).item() == (0 + 4 + 9 + 4) / 4


@pytest.mark.parametrize("shape", [(4,), (1, 4), (4, 2)], ids=str)
def test_squared_error_of_shapes_that_broadcast_is_refused(shape):
    with pytest.raises(InputError, match=r"outputs have shape \(4, 1\), the targets \("):
        squared_error(torch.zeros(4, 1), torch.zeros(shape))


def test_softmax_squared_error_by_hand():
    first = 0.5**2 + 0.25**2 + 0.25**2
    second = 0.1**2 + 0.9**2 + 0.8**2
    error = softmax_squared_error(OUTPUTS, TARGETS)
    assert error.item() == pytest.approx((first + second) / 6, rel=1e-14)


# ----------------------------------------------------------------------------- metrics by hand


def test_confidence_by_hand():
    assert confidence(OUTPUTS, TARGETS).item() == pytest.approx((0.5 + 0.8) / 2, rel=1e-14)


def test_brier_by_hand():
    expected = (0.5**2 + 2 * 0.25**2 + 0.1**2 + 0.9**2 + 0.8**2) / 2
    assert brier(OUTPUTS, TARGETS).item() == pytest.approx(expected, rel=1e-14)


def test_top5_error_by_hand():
    outputs = torch.tensor([7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]).repeat(8, 1)
    targets = torch.tensor([0, 1, 2, 3, 4, 5, 6, 6])  # the last three are sixth or seventh
    assert top5_error(outputs, targets).item() == 37.5


def test_of_five_classes_none_is_outside_the_top_five():
    assert top5_error(torch.randn(9, 5), torch.arange(9) % 5).item() == 0
    assert top5_error(OUTPUTS, TARGETS).item() == 0


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_means_over_the_batch(name):
    outputs, targets = torch.randn(12, 8, dtype=torch.float64), torch.randint(8, (12,))
    metric = METRICS[name]
    values = [metric(outputs[k : k + 1], targets[k : k + 1]).item() for k in range(12)]
    assert metric(outputs, targets).dim() == 0
    assert metric(outputs, targets).item() == pytest.approx(sum(values) / 12, rel=1e-12)


def test_correct_outputs_are_counted():
    assert count_correct(OUTPUTS, TARGETS) == (1, 2)
    assert count_correct(OUTPUTS, torch.tensor([0, 2])) == (2, 2)
    assert count_correct(OUTPUTS, torch.tensor([2, 0])) == (0, 2)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int32])
def test_labels_of_any_type_are_counted(dtype):
    outputs = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert count_correct(outputs, torch.tensor([0, 1, 1]).to(dtype)) == (2, 3)


def test_labels_that_are_no_classes_are_not_counted():
    assert count_correct(OUTPUTS, torch.tensor([0, -100])) == (1, 1)
    assert count_correct(OUTPUTS, torch.tensor([0, 255])) == (1, 1)
    assert count_correct(OUTPUTS, TARGETS, ignore_index=0) == (0, 1)
    assert count_correct(OUTPUTS, torch.tensor([2, 2]), ignore_index=2) == (0, 0)


@pytest.mark.parametrize(
    ("outputs", "targets"),
    [
        ({"logits": OUTPUTS}, TARGETS),
        (OUTPUTS, (TARGETS, TARGETS)),
        (OUTPUTS, OUTPUTS),
        (OUTPUTS[:, 0], TARGETS),
        (OUTPUTS[:, :1], TARGETS),
        (OUTPUTS[:, :, None], TARGETS[:, None]),
    ],
    ids=["dict", "two targets", "regression", "one output", "one column", "sequences"],
)
def test_where_there_are_no_classes_nothing_is_counted(outputs, targets):
    assert count_correct(outputs, targets) is None


# ----------------------------------------------------------------------------- sample by sample


def soft(outputs, targets):
    return F.cross_entropy(outputs, targets.softmax(1))


CLASSES, NUMBERS = torch.randint(4, (6,)), torch.randn(6, 4, dtype=torch.float64)
EACH = {
    "cross entropy": (F.cross_entropy, NUMBERS, CLASSES),
    "label smoothing": (nn.CrossEntropyLoss(label_smoothing=0.1), NUMBERS, CLASSES),
    "soft targets": (soft, NUMBERS, NUMBERS.flip(0)),
    "tokens": (F.cross_entropy, NUMBERS.view(2, 4, 3), CLASSES.view(2, 3)),
    "mse": (F.mse_loss, NUMBERS, NUMBERS.flip(0)),
    "squared error": (squared_error, NUMBERS, NUMBERS.flip(0)),
    "softmax squared error": (softmax_squared_error, NUMBERS, CLASSES),
    "a vector of outputs": (F.l1_loss, NUMBERS[:, 0], NUMBERS[:, 1]),
}


@pytest.mark.parametrize("name", EACH)
def test_sample_losses_are_those_of_batches_of_one(name):
    loss, outputs, targets = EACH[name]
    each = sample_losses(loss, outputs, targets)
    expected = [loss(outputs[k : k + 1], targets[k : k + 1]) for k in range(len(targets))]
    torch.testing.assert_close(each, torch.stack(expected), rtol=1e-12, atol=0)
    assert each.mean().item() == pytest.approx(loss(outputs, targets).item(), rel=1e-12)


def test_sample_losses_of_structures():
    def loss(outputs, targets):
        first, second = targets
        return F.cross_entropy(outputs["a"], first) + F.mse_loss(outputs["b"], second)

    outputs, targets = {"a": NUMBERS, "b": NUMBERS[:, 1:]}, (CLASSES, NUMBERS[:, :3])
    expected = F.cross_entropy(NUMBERS, CLASSES, reduction="none")
    expected = expected + (NUMBERS[:, 1:] - NUMBERS[:, :3]).square().mean(1)
    torch.testing.assert_close(sample_losses(loss, outputs, targets), expected)


@pytest.mark.parametrize(
    "loss",
    [
        lambda outputs, targets: outputs.sum() if outputs.sum() > 0 else targets.sum(),
        lambda outputs, _: torch.tensor(outputs.mean().item()),
        lambda outputs, _: outputs.no_such_method(),
        lambda outputs, targets: squared_error(outputs, targets),
    ],
    ids=["asks for values", "leaves torch", "fails", "refuses"],
)
def test_losses_that_can_not_be_taken_apart_have_none(loss):
    assert sample_losses(loss, NUMBERS, CLASSES) is None


# --------------------------------------------------------------------------------------- names


def test_losses_by_name():
    for name, function in LOSSES.items():
        assert resolve_loss(name) is function


def test_the_default_loss_goes_by_the_targets():
    assert default_loss(TARGETS) is F.cross_entropy
    assert default_loss(TARGETS.double()) is squared_error
    assert default_loss(OUTPUTS.softmax(1)) is F.cross_entropy  # probabilities
    assert default_loss(OUTPUTS) is squared_error


def test_metrics_by_name():
    assert resolve_metrics(tuple(METRICS)) == METRICS
    assert resolve_metrics(()) == {}


def test_names_are_those_that_users_choose_among():
    assert tuple(LOSSES) == choices.LOSSES
    assert tuple(METRICS) == choices.METRICS


def test_functions_of_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def largest(outputs, targets):\n    return outputs.amax(1).mean()\n")
    ((name, metric),) = resolve_metrics([f"{path}:largest"]).items()
    assert name == "largest"
    assert metric(OUTPUTS, TARGETS).item() == pytest.approx((math.log(2) + math.log(8)) / 2)
    assert resolve_loss(f"{path}:largest")(OUTPUTS, TARGETS) == metric(OUTPUTS, TARGETS)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="unknown --loss 'hinge'; expected cross_entropy, sq"):
        resolve_loss("hinge")
    with pytest.raises(InputError, match="unknown --metrics 'auto'; expected top5_error, conf"):
        resolve_metrics(["auto"])


def test_two_metrics_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text("def met(o, t): return o.mean()\n")
    names = [f"{tmp_path}/{folder}/mine.py:met" for folder in "ab"]
    for twice, name in ((names, "met"), (["brier", "brier"], "brier")):
        with pytest.raises(InputError, match=f"two --metrics are called {name}; give each"):
            resolve_metrics(twice)
