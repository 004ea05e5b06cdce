import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.models.catalog import resolve_model
from landscape.objective.losses import brier
from landscape.objective.objective import Objective
from tests.landscape.objective.problems import (
    Objective32,
    Objective64,
    batches,
    close,
    every_case,
    mlp,
    vectors,
)
from tests.oracles.cases import BY_NAME, NUM_SAMPLES, randomise
from tests.profile import repeats


@every_case
def test_loss_is_that_of_the_model(case):
    model, (inputs, targets) = case.model(), case.data
    expected = case.loss(model(inputs), targets).item()
    assert Objective64(model, case.data, case.loss).loss() == pytest.approx(expected, rel=1e-14)


@every_case
@pytest.mark.parametrize("sizes", [[5, 2], [1, 1, 5], [3, 3, 1]], ids=str)
def test_uneven_batches_equal_one_batch(case, sizes):
    whole = Objective64(case.model(), case.data, case.loss)
    uneven = Objective64(case.model(), batches(*case.data, sizes), case.loss)
    assert [batch.size for batch in uneven.batches] == sizes
    direction = torch.randn_like(whole.theta)
    expected, evaluation = whole.evaluate(), uneven.evaluate()
    assert evaluation.loss == pytest.approx(expected.loss, rel=1e-12)
    assert evaluation.accuracy == pytest.approx(expected.accuracy, rel=1e-12, nan_ok=True)
    close(uneven.gradient(), whole.gradient(), 1e-12)
    close(uneven.hessian_product(direction), whole.hessian_product(direction), 1e-12)


@pytest.mark.parametrize("count", [1, 7, 29])  # their inverses aren't binary fractions
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize("name", ["vit-tiny", "mixer-tiny", "resnet-tiny"])
def test_loss_of_one_batch_is_the_models_own_to_the_last_bit(name, dtype, count):
    sizes = {"image_size": 8, "channels": 1, "num_classes": 4}
    model = randomise(resolve_model(name, sizes).build().to(dtype))
    inputs, targets = torch.randn(count, 1, 8, 8, dtype=dtype), torch.randint(4, (count,))
    with torch.no_grad():
        expected = F.cross_entropy(model.eval()(inputs), targets).item()
    objective = Objective(model, (inputs, targets), device="cpu", dtype=dtype)
    assert objective.loss() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_loss_of_one_batch_is_exact_whatever_its_value(dtype):
    inputs, targets = vectors(11)
    inputs = 3.0 * inputs.to(dtype)
    wrong = []
    for _ in range(30):
        model = mlp().to(dtype)
        with torch.no_grad():
            expected = F.cross_entropy(model(inputs), targets).item()
        loss = Objective(model, (inputs, targets), device="cpu", dtype=dtype).loss()
        if loss != expected:
            wrong.append((loss, expected))
    assert wrong == []


@settings(max_examples=repeats(10, 25), deadline=None, database=None)
@given(data=st.data(), count=st.integers(2, 20))
def test_any_partition_has_the_same_loss(data, count):
    cuts = data.draw(st.sets(st.integers(1, count - 1)))
    edges = [0, *sorted(cuts), count]
    sizes = [stop - start for start, stop in zip(edges, edges[1:], strict=False)]
    model, (inputs, targets) = mlp(), vectors(count)
    expected = F.cross_entropy(model(inputs), targets).item()
    objective = Objective64(model, batches(inputs, targets, sizes))
    assert objective.loss() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_accuracy_is_per_cent():
    model = nn.Linear(3, 3, bias=False)
    nn.init.eye_(model.weight)
    inputs = torch.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    targets = torch.tensor([0, 1, 2, 0, 1, 0, 1, 2])  # the first five are right
    assert Objective32(model, (inputs, targets), batch_size=3).evaluate().accuracy == 62.5


def test_accuracy_of_a_regression_is_nan():
    case = BY_NAME["linear regression"]
    evaluation = Objective64(case.model(), case.data, case.loss).evaluate()
    assert math.isnan(evaluation.accuracy)
    assert evaluation.loss > 0


@pytest.mark.parametrize("batch_size", [5, 12])
def test_standard_error_by_hand(batch_size):
    model, (inputs, targets) = mlp(), vectors(12)
    with torch.no_grad():
        losses = [-math.log(row.softmax(0)[y]) for row, y in zip(model(inputs), targets)]  # noqa: B905
    mean = sum(losses) / 12
    std = math.sqrt(sum((value - mean) ** 2 for value in losses) / 11)
    objective = Objective64(model, (inputs, targets), batch_size=batch_size)
    evaluation = objective.evaluate()
    assert evaluation.loss_stderr == pytest.approx(std / math.sqrt(12), rel=1e-10)
    assert evaluation.loss_dof == 11


@every_case
def test_standard_error_is_that_of_the_samples_one_by_one(case):
    model, (inputs, targets) = case.model(), case.data
    losses = torch.stack(
        [case.loss(model(inputs[k : k + 1]), targets[k : k + 1]) for k in range(NUM_SAMPLES)]
    )
    expected = losses.std().item() / math.sqrt(NUM_SAMPLES)
    error = Objective64(model, case.data, case.loss, batch_size=3).evaluate().loss_stderr
    assert error == pytest.approx(expected, rel=1e-10)


def test_standard_error_where_labels_are_ignored_in_some_batches():
    model, (inputs, targets) = mlp(), vectors(12)
    targets[[1, 9]] = -100
    with torch.no_grad():
        losses = F.cross_entropy(model(inputs), targets, reduction="none")[targets >= 0]
    for batch_size in (2, 4, 12):  # some batches of 2 and of 4 have all their labels
        evaluation = Objective64(model, (inputs, targets), batch_size=batch_size).evaluate()
        assert evaluation.loss == pytest.approx(losses.mean().item(), rel=1e-12)
        assert evaluation.loss_stderr == pytest.approx(losses.std().item() / 10**0.5, rel=1e-10)
        assert evaluation.loss_dof == 9


def test_standard_error_of_losses_far_from_zero_does_not_cancel():
    offset = 1e6

    def shifted(outputs, targets):
        return F.cross_entropy(outputs, targets) + offset

    model, data = mlp(), vectors(12)
    plain = Objective64(model, data, batch_size=5).evaluate()
    far = Objective64(model, data, shifted, batch_size=5).evaluate()
    assert far.loss == pytest.approx(plain.loss + offset, rel=1e-12)
    assert far.loss_stderr == pytest.approx(plain.loss_stderr, rel=1e-7)


def test_standard_error_at_another_theta():
    model, (inputs, targets) = mlp(), vectors(12)
    objective = Objective64(model, (inputs, targets))
    # With all weights zero every sample has the loss log 3.
    assert objective.evaluate(torch.zeros_like(objective.theta)).loss_stderr < 1e-15
    assert objective.evaluate().loss_stderr > 0.01


def test_standard_error_of_a_single_sample_is_nan():
    evaluation = Objective64(mlp(), vectors(1)).evaluate()
    assert math.isnan(evaluation.loss_stderr)
    assert evaluation.loss_dof == 0


@pytest.mark.parametrize("sizes", [[4, 4, 4], [6, 6], [12]])
def test_an_error_over_batches_has_the_degrees_of_freedom_of_batches(sizes):
    def step(model, batch):
        return F.cross_entropy(model(batch[0]), batch[1])

    evaluation = Objective64(mlp(), batches(*vectors(12), sizes), step=step).evaluate()
    assert evaluation.loss_dof == len(sizes) - 1


class DictOutput(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mlp()

    def forward(self, x):
        return {"logits": self.body(x)}


def test_outputs_of_any_structure():
    """The loss and its error are taken from them; accuracy is nan: nothing says what it is."""

    def loss(outputs, targets):
        return F.cross_entropy(outputs["logits"], targets)

    model, (inputs, targets) = DictOutput(), vectors()
    objective = Objective64(model, (inputs, targets), loss)
    evaluation = objective.evaluate()
    expected = F.cross_entropy(model.body(inputs), targets).item()
    assert evaluation.loss == pytest.approx(expected, rel=1e-12)
    assert math.isnan(evaluation.accuracy)
    plain = Objective64(model.body, (inputs, targets))
    assert objective.evaluate().loss_stderr == pytest.approx(
        plain.evaluate().loss_stderr, rel=1e-12
    )


def test_outputs_are_the_models():
    model, (inputs, targets) = mlp(), vectors(7)
    objective = Objective64(model, (inputs, targets), batch_size=3)
    seen = list(objective.outputs())
    assert [batch.size for batch, _ in seen] == [3, 3, 1]
    assert not any(outputs.requires_grad for _, outputs in seen)
    with torch.no_grad():
        close(torch.cat([outputs for _, outputs in seen]), model(inputs), 1e-14)


def test_verify_false_measures_it_all_the_same():
    model, (inputs, targets) = mlp(), vectors()
    loss = nn.CrossEntropyLoss(reduction="sum")
    objective = Objective64(model, (inputs, targets), loss, verify=False)
    assert objective.loss() == pytest.approx(loss(model(inputs), targets).item(), rel=1e-14)


def test_one_sample_can_be_measured():
    model, (inputs, targets) = mlp(), vectors(1)
    expected = F.cross_entropy(model(inputs), targets).item()
    assert Objective64(model, (inputs, targets)).loss() == pytest.approx(expected, rel=1e-14)


def test_without_a_batch_size_one_is_chosen():
    model, data = mlp(), vectors(2000)
    objective, fixed = Objective64(model, data), Objective64(model, data, batch_size=128)
    sizes = [batch.size for batch in objective.batches]
    assert sizes == [1024, 976]  # the largest allowed: this model's results are tiny
    assert objective.sample_hash() == fixed.sample_hash()
    assert objective.loss() == pytest.approx(fixed.loss(), rel=1e-12)


def test_batches_that_come_as_such_are_kept_without_a_batch_size():
    inputs, targets = vectors(12)
    objective = Objective64(mlp(), batches(inputs, targets, [7, 5]))
    assert [batch.size for batch in objective.batches] == [7, 5]


def test_metrics_are_means_over_all_samples():
    model, (inputs, targets) = mlp(), vectors(12)
    objective = Objective64(model, (inputs, targets), batch_size=5, metrics={"brier": brier})
    with torch.no_grad():
        expected = brier(model(inputs), targets).item()
    assert objective.evaluate().metrics == {"brier": pytest.approx(expected, rel=1e-12)}
