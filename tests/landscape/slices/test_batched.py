"""Points that go through one forward pass have the values of points that go one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.objective.losses import brier
from landscape.objective.objective import Objective
from landscape.slices import choose_mode as module
from landscape.slices.batched import MOST, points_of_a_pass
from landscape.slices.choose_mode import ROUNDING, choose_mode
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator
from tests.landscape.slices.evaluated import (
    POINTS,
    make_direction,
    moved_by_hand,
    objective_of,
    plane_of,
)
from tests.oracles.cases import CASES

MANY = module.TOGETHER_WORTHWHILE_POINTS
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def vectors(count=90):
    draw = torch.Generator().manual_seed(3)
    return torch.randn(count, 6, generator=draw), torch.randint(3, (count,), generator=draw)


def perceptron(*, data=None, **options):
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    return Objective(network, data or vectors(), device="cpu", **options)


def both(objective, points=POINTS):
    """The values together and one by one."""
    evaluator = PointEvaluator(objective, plane_of(objective), "train")
    together = evaluator.together(points)
    single = [evaluator(point) for point in points]
    evaluator.close()
    return together, single


def choose(objective, num_points=MANY, *, together=True):
    probes = [(0.0, 0.0), (0.5, -0.5), (1.0, 1.0)]
    directions = plane_of(objective)
    return choose_mode(objective, directions, "train", probes, num_points, together=together)


@every_case
def test_values_are_those_of_a_model_moved_by_hand(case):
    objective = objective_of(case, torch.float32)
    before = objective.weights_hash()
    directions = plane_of(objective)
    evaluator = PointEvaluator(objective, directions, "train")
    for point, values in zip(POINTS, evaluator.together(POINTS), strict=True):
        inputs, targets = case.data
        with torch.no_grad():
            outputs = moved_by_hand(case.model(), directions, point)(inputs)
            loss = case.loss(outputs, targets).item()
        assert values[0] == pytest.approx(loss, rel=2e-5)
    evaluator.close()
    assert objective.weights_hash() == before


def with_ignored_labels():
    inputs, targets = vectors()
    return inputs, torch.where(torch.arange(len(targets)) % 7 == 0, -100, targets)


def stepped(model, batch):
    penalty = sum(p.square().sum() for p in model.parameters())
    return F.cross_entropy(model(batch[0]), batch[1]) + 0.01 * penalty


@pytest.mark.parametrize(
    "options",
    [
        {"metrics": {"brier": brier}, "extra_splits": {"test": vectors(20)}},
        {"loss": nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]), label_smoothing=0.1)},
        {"data": with_ignored_labels()},
        {"step": stepped},
    ],
    ids=["metrics and splits", "class weights", "ignored labels", "a training step"],
)
def test_everything_that_is_measured(options):
    together, single = map(np.array, both(perceptron(batch_size=40, **options)))
    # An error over three batches is made of differences of their losses.
    absolute = 1e-6 * single[:, :1].max() if "step" in options else 0.0
    np.testing.assert_allclose(together, single, rtol=5e-6, atol=absolute)
    assert len(np.unique(single[:, 0])) == len(POINTS)


def test_the_origin_is_the_plain_module_exactly():
    objective = perceptron()
    together, _ = both(objective)
    assert POINTS[0] == (0.0, 0.0)
    assert together[0][0] == objective.evaluate().loss


def test_a_line():
    objective = perceptron()
    evaluator = PointEvaluator(objective, [make_direction(objective)], "train")
    points = [[0.1], [0.7]]
    np.testing.assert_allclose(
        evaluator.together(points), [evaluator(point) for point in points], rtol=5e-6
    )
    evaluator.close()


def test_losses_that_are_not_finite():
    together, single = both(perceptron(), [(1e38, 0.0), (0.5, 0.0)])
    np.testing.assert_allclose(together, single, rtol=5e-6)
    assert not np.isfinite(single[0][0])


# ------------------------------------------------------------------------------------- the choice


def test_a_small_network_is_evaluated_many_points_at_a_time():
    first, second = (choose(perceptron()) for _ in range(2))
    assert first == second
    assert (first.points, first.precision) == (MOST, "fp32")
    assert 0 <= first.error <= 1e-6
    assert not first.is_plain


@pytest.mark.parametrize(
    ("options", "num_points", "together"),
    [
        ({}, MANY - 1, True),
        ({}, MANY, False),
        ({"precision": "fp64", "dtype": torch.float64}, MANY, True),
        ({"data": vectors(20_000), "batch_size": 20_000}, MANY, True),
    ],
    ids=["few points", "not together", "double precision", "large tensors"],
)
def test_otherwise_points_go_one_by_one(options, num_points, together):
    mode = choose(perceptron(**options), num_points, together=together)
    assert mode.points == 1
    assert mode.is_plain


def test_a_pass_holds_as_many_points_as_fit_the_cache():
    counts = [
        points_of_a_pass(perceptron(data=vectors(n), batch_size=n)) for n in (90, 2000, 20_000)
    ]
    assert counts == [64, 32, 1]


class Decides(nn.Module):
    """Its way depends on its values."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.layer(x)
        return outputs if bool(self.layer.weight.sum() > 0) else outputs.tanh()


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return 2 * x

    @staticmethod
    def backward(context, gradient):
        return 2 * gradient


class HasOwnFunction(Decides):
    def forward(self, x: Tensor) -> Tensor:
        return Doubled.apply(self.layer(x))


class NormalisesByBatch(Decides):
    """As a BatchNorm in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.layer(x)
        self.mean.copy_(outputs.detach().mean(0))
        return outputs - self.mean


class IsRandom(Decides):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.layer(x), 0.5, training=True)


@pytest.mark.parametrize("kind", [Decides, HasOwnFunction, NormalisesByBatch, IsRandom])
def test_networks_that_cannot_go_one_by_one_without_a_message(kind, caplog):
    objective = Objective(kind(), vectors(), device="cpu", verify=False)
    expected = objective.weights_hash()
    assert choose(objective) == EvaluationMode("fp32")
    assert objective.module.training is False
    if kind is not NormalisesByBatch:  # which changes its buffer whenever it is called
        assert objective.weights_hash() == expected
    assert [record.levelname for record in caplog.records if record.levelno > 10] == []


def test_losses_that_differ_are_not_used(monkeypatch):
    def evaluate(self, points):
        evaluations = (each["train"] for each in right(self, points))
        factor = 1 + 2 * ROUNDING
        return [{"train": replace(each, loss=factor * each.loss)} for each in evaluations]

    right = PointEvaluator.evaluate_together
    monkeypatch.setattr(PointEvaluator, "evaluate_together", evaluate)
    assert choose(perceptron()) == EvaluationMode("fp32")
