"""A loss that depends on how its samples are batched is refused, whichever batch shows it."""

import pytest
import torch
import torch.nn.functional as F

from landscape.errors import InputError
from tests.landscape.objective.problems import Objective64, batches, mlp, vectors

WEIGHT = torch.tensor([1.0, 3.0, 8.0], dtype=torch.float64)


def masked(outputs, targets):
    """Written out, so that nothing shows what it divides by: label 0 is padding."""
    counts = (targets != 0).to(outputs)
    return (F.cross_entropy(outputs, targets, reduction="none") * counts).sum() / counts.sum()


def test_a_mask_that_is_written_out_is_refused_and_a_weight_helps():
    model, (inputs, targets) = mlp(), vectors(17)
    targets[::4] = 1  # no batch is all padding
    data = batches(inputs, targets, 4)
    with pytest.raises(InputError, match=r"weight=f\(batch\), or return \(sum, weight\)"):
        Objective64(model, data, masked)
    objective = Objective64(model, data, masked, weight=lambda batch: (batch[1] != 0).sum())
    assert objective.loss() == pytest.approx(masked(model(inputs), targets).item(), rel=1e-12)


@pytest.mark.parametrize("place", [0, 2, 3])
@pytest.mark.parametrize("size", [1, 4])
def test_every_batch_is_checked(place, size):
    """A single sample of 16 counts half: whichever batch has it, the loss is refused."""
    torch.manual_seed(0)
    model, (inputs, _) = mlp(), vectors(16)
    targets = torch.ones(16, dtype=torch.long)
    targets[4 * place] = 2

    def halved(outputs, targets):
        shares = torch.where(targets == 2, 0.5, 1.0).to(outputs)
        each = F.cross_entropy(outputs, targets, reduction="none")
        return (each * shares).sum() / shares.sum()

    with pytest.raises(InputError, match="how samples are batched"):
        Objective64(model, batches(inputs, targets, size), halved)


def test_a_small_fault_is_found():
    """A weight that is off by 1e-5 of a sample's, which float32 would hide in its rounding."""
    model, (inputs, targets) = mlp(), vectors(40)

    def slightly_off(outputs, targets):
        return F.cross_entropy(outputs, targets) * (1 + 1e-4 / len(outputs))

    with pytest.raises(InputError, match="how samples are batched"):
        Objective64(model, batches(inputs, targets, 4), slightly_off)


WEIGHTS = {
    "negative": (lambda _: -1, "at least 0, got -1"),
    "infinite": (lambda _: float("inf"), "finite"),
    "a text": (lambda _: "many", "as a number, got str"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_are_none(kind):
    weight, message = WEIGHTS[kind]
    with pytest.raises(InputError, match=message):
        Objective64(mlp(), vectors(), weight=weight)


def test_a_weight_that_depends_on_the_parameters_is_refused():
    def attended(outputs, targets):
        shares = outputs.softmax(1)[:, 0]
        return (shares * F.cross_entropy(outputs, targets, reduction="none")).sum(), shares.sum()

    with pytest.raises(InputError, match="depends on the model's parameters"):
        Objective64(mlp(), batches(*vectors(), 4), attended)


def test_means_over_different_numbers_are_no_mean_over_batches():
    def mixed(outputs, targets):
        labels = targets.masked_fill(targets == 0, -100)
        return F.cross_entropy(outputs, labels) + F.cross_entropy(outputs, targets, weight=WEIGHT)

    with pytest.raises(InputError, match="different numbers of terms"):
        Objective64(mlp(), batches(*vectors(17), 5), mixed)
