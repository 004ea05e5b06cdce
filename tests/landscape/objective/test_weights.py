"""What a batch counts for: the numbers of many batches are those of one, dense in float64."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.preactivation import preactivation_hessians
from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest
from landscape.curvature.sampling import sample_slices, sampling_errors
from landscape.curvature.sharding import shard_of
from landscape.errors import InputError, NotMeasurableError
from landscape.hooks.dense_layers import dense_layers
from landscape.objective.reductions import divisor_from_targets
from tests.landscape.objective.problems import Objective64, batches, close, mlp, vectors
from tests.oracles.by_rows import gradient_and_hessian
from tests.profile import some

WEIGHT = torch.tensor([1.0, 3.0, 8.0], dtype=torch.float64)


def sorted_by_class(count=17):
    """As an ImageFolder comes: batches differ in their classes."""
    inputs, targets = vectors(count)
    return inputs, targets.sort().values


def with_ignored(inputs, targets, ignored=-100):
    """The last batches have more labels that don't count than the first, which has none."""
    targets = targets.clone()
    targets[7::2] = ignored
    return inputs, targets


def masked_sum(outputs, targets):
    """Written out, so that nothing else shows what it divides by: label 0 is padding."""
    counts = (targets != 0).to(outputs)
    return (F.cross_entropy(outputs, targets, reduction="none") * counts).sum(), counts.sum()


LOSSES = {
    "class weights": (nn.CrossEntropyLoss(weight=WEIGHT), sorted_by_class),
    "class weights and smoothing": (
        nn.CrossEntropyLoss(weight=WEIGHT, label_smoothing=0.1),
        sorted_by_class,
    ),
    "a partial": (partial(F.cross_entropy, weight=WEIGHT), sorted_by_class),
    "a lambda": (lambda o, y: F.cross_entropy(o, y, weight=WEIGHT), sorted_by_class),
    "ignored labels": (F.cross_entropy, lambda: with_ignored(*vectors(17))),
    "another ignored label": (
        nn.CrossEntropyLoss(ignore_index=2),
        lambda: with_ignored(*vectors(17), ignored=2),
    ),
    "log-probabilities": (
        lambda o, y: F.nll_loss(o.log_softmax(1), y, weight=WEIGHT),
        sorted_by_class,
    ),
    "several labels": (
        nn.BCEWithLogitsLoss(pos_weight=WEIGHT),
        lambda: (vectors(17)[0], torch.rand(17, 3, dtype=torch.float64).round()),
    ),
    "class probabilities": (
        nn.CrossEntropyLoss(weight=WEIGHT),
        lambda: (vectors(17)[0], torch.rand(17, 3, dtype=torch.float64).softmax(1)),
    ),
    "a sum and its weight": (masked_sum, sorted_by_class),
}


def problem(name):
    torch.manual_seed(3)
    loss, data = LOSSES[name]
    model, (inputs, targets) = mlp(), data()
    return model, loss, inputs, targets


def mean(answer):
    return answer[0] / answer[1] if isinstance(answer, tuple) else answer


@pytest.mark.parametrize("name", some(LOSSES, 5))
def test_many_batches_are_one(name):
    model, loss, inputs, targets = problem(name)

    def whole(model):
        return mean(loss(model(inputs), targets))

    value, gradient, hessian = gradient_and_hessian(model, whole)
    objective = Objective64(model, batches(inputs, targets, 4), loss)
    assert objective.loss() == pytest.approx(value.item(), rel=1e-12)
    close(objective.gradient(), gradient, 1e-11)
    identity = torch.eye(len(gradient), dtype=torch.float64)
    close(CurvatureOperator(objective) @ identity, hessian, 1e-11)
    shards = [shard_of(objective.batches, rank, 3) for rank in range(3)]
    total = sum(
        LocalProducts(objective, batches=shard, total_weight=objective.total_weight)(
            [ProductRequest(identity)]
        )[0]
        for shard in shards
        if shard
    )
    close(total, hessian, 1e-11)


@pytest.mark.parametrize("name", ["class weights", "a lambda", "ignored labels"])
def test_batches_without_a_counted_label_are_left_out(name):
    model, loss, inputs, targets = problem(name)
    empty = (inputs[:3], torch.full((3,), -100))
    objective = Objective64(model, [empty, *batches(inputs, targets, 4), empty], loss)
    assert objective.loss() == pytest.approx(loss(model(inputs), targets).item(), rel=1e-12)


def test_labels_that_are_all_ignored_are_refused():
    inputs, targets = vectors()
    with pytest.raises(InputError, match="no sample counts"):
        Objective64(mlp(), (inputs, torch.full_like(targets, -100)))


@pytest.mark.parametrize("name", ["class weights", "ignored labels", "a sum and its weight"])
def test_the_sampling_error_is_that_of_a_weighted_mean(name):
    """By the formula of a ratio estimator, with samples one by one."""
    model, loss, inputs, targets = problem(name)
    terms = []
    for x, y in zip(inputs, targets, strict=True):
        counted = divisor_from_targets(loss, y[None])
        if counted is None:
            counted = float(y != 0)
        value = mean(loss(model(x[None]), y[None])).item() if counted else 0.0
        terms.append((value * counted, counted))
    sums, weights = np.array(terms).T
    ratio = sums.sum() / weights.sum()
    n = (weights > 0).sum()
    expected = np.sqrt(n / (n - 1) * ((sums - ratio * weights) ** 2).sum()) / weights.sum()
    for size in (4, 17):
        evaluation = Objective64(model, batches(inputs, targets, size), loss).evaluate()
        assert evaluation.loss == pytest.approx(ratio, rel=1e-12)
        assert evaluation.loss_stderr == pytest.approx(expected, rel=1e-9)
        assert evaluation.loss_dof == n - 1


def test_the_error_of_an_eigenvalue_uses_the_same_weights():
    model, loss, inputs, targets = problem("class weights")
    objective = Objective64(model, batches(inputs, targets, 4), loss)
    vector = torch.randn(objective.num_parameters, 1, dtype=torch.float64)
    vector /= vector.norm()
    quotients, weights = [], []
    for piece in sample_slices(objective.batches):
        _, _, hessian = gradient_and_hessian(
            model, lambda model, piece=piece: loss(model(piece.inputs), piece.targets)
        )
        quotients.append((vector.T @ hessian @ vector).item())
        weights.append(WEIGHT[piece.targets].sum().item())
    quotients, weights = np.array(quotients), np.array(weights)
    whole = np.average(quotients, weights=weights)
    _, _, hessian = gradient_and_hessian(model, lambda model: loss(model(inputs), targets))
    assert whole == pytest.approx((vector.T @ hessian @ vector).item(), rel=1e-10)
    variance = (weights * (quotients - whole) ** 2).sum() / (len(weights) - 1) / weights.sum()
    sampling = sampling_errors(objective, [ProductRequest(vector)], [whole])
    assert sampling.products == [0]
    (error,) = sampling.errors
    assert error == pytest.approx(np.sqrt(variance), rel=1e-8)


# -------------------------------------------------------------------------- language models


class LanguageModel(nn.Module):
    """A causal model that computes its loss itself, shifted, as Hugging Face's do."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(11, 4), nn.Linear(4, 11)

    def forward(self, input_ids, labels):
        logits = self.head(torch.tanh(self.embedding(input_ids).cumsum(1)))
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return SimpleNamespace(loss=loss, logits=logits)


def sentences(count=12, length=7):
    ids = torch.randint(11, (count, length))
    lengths = torch.arange(count) % 5 + 3
    lengths[:4] = length  # the first batch has no padding
    return ids, ids.masked_fill(torch.arange(length)[None] >= lengths[:, None], -100)


FORMS = {
    "dicts": lambda ids, labels: ([{"input_ids": ids, "labels": labels}], {}),
    "pairs": lambda ids, labels: (
        [({"input_ids": ids, "labels": labels}, labels)],
        {"loss": lambda outputs, _: outputs.loss},
    ),
    "a step": lambda ids, labels: (
        [{"input_ids": ids, "labels": labels}],
        {"step": lambda model, batch: model(**batch).loss},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_padded_labels_of_a_causal_model(form):
    torch.manual_seed(0)
    model, (ids, labels) = LanguageModel().double(), sentences()
    value, gradient, _ = gradient_and_hessian(model, lambda model: model(ids, labels).loss)
    data, arguments = [], {}
    for start in range(0, 12, 4):
        items, arguments = FORMS[form](ids[start : start + 4], labels[start : start + 4])
        data += items
    objective = Objective64(model, data, **arguments)
    assert [batch.weight for batch in objective.batches] == [
        (labels[start : start + 4, 1:] != -100).sum().item() for start in range(0, 12, 4)
    ]
    assert objective.loss() == pytest.approx(value.item(), rel=1e-12)
    close(objective.gradient(), gradient, 1e-11)


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
    ignored=st.floats(0, 0.9),
)
def test_batching_never_matters(sizes, seed, ignored):
    generator = torch.Generator().manual_seed(seed)
    count = sum(sizes)
    inputs = torch.randn(count, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(3, (count,), generator=generator)
    targets[torch.rand(count, generator=generator) < ignored] = -100
    targets[0] = 1
    model = nn.Linear(5, 3).double()
    loss = nn.CrossEntropyLoss(weight=WEIGHT)
    data = list(zip(inputs.split(sizes), targets.split(sizes), strict=True))
    objective = Objective64(model, data, loss)
    assert objective.loss() == pytest.approx(loss(model(inputs), targets).item(), rel=1e-10)


# --------------------------------------------------------------- where samples have to count alike


@pytest.mark.parametrize("name", ["class weights", "a lambda", "ignored labels"])
def test_what_takes_each_sample_once_is_refused(name):
    model, loss, inputs, targets = problem(name)
    objective = Objective64(model, batches(inputs, targets, 4), loss)
    with pytest.raises(NotMeasurableError, match="counts the samples equally"):
        CurvatureOperator(objective, matrix="fisher").matvec(objective.theta)
    layers, _ = dense_layers(objective)
    with pytest.raises(NotMeasurableError, match="counts the samples equally"):
        sample_hessians(objective, layers)


def sample_hessians(objective, layers):
    with objective.second_derivatives():
        for batch in objective.batches:
            preactivation_hessians(objective, layers, batch)


def test_a_ragged_mean_over_elements_counts_samples_alike():
    inputs, targets = vectors(17)[0], torch.randn(17, 3, dtype=torch.float64)
    objective = Objective64(mlp(), batches(inputs, targets, 4), nn.MSELoss())
    vector = objective.theta / objective.theta.norm()
    gradients = torch.stack(
        [
            gradient_and_hessian(
                objective.module, lambda model, k=k: F.mse_loss(model(inputs[k]), targets[k])
            )[1]
            for k in range(17)
        ]
    )
    fisher = gradients.T @ gradients / 17
    close(CurvatureOperator(objective, matrix="fisher") @ vector, fisher @ vector, 1e-10)


def test_accuracy_is_that_of_the_labels_that_count():
    model, loss, inputs, targets = problem("ignored labels")
    counted = targets >= 0
    right = (model(inputs).argmax(1) == targets)[counted].double().mean().item()
    accuracy = Objective64(model, batches(inputs, targets, 4), loss).evaluate().accuracy
    assert accuracy == pytest.approx(100 * right, rel=1e-12)
