"""The order of points does not matter, and the model is restored."""

import copy
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.errors import InputError
from landscape.objective.criterion import Criterion
from landscape.objective.objective import Objective
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator
from tests.landscape.slices.evaluated import (
    POINTS,
    make_direction,
    objective_of,
    plane_of,
    resnet,
)
from tests.oracles.cases import BY_NAME, randomise
from tests.profile import repeats, some


@pytest.mark.parametrize(
    ("bn", "statistics"), some(product(["fixed", "reestimate"], [False, True]), 2)
)
@given(order=st.permutations([(x, y) for x in (-1.0, 0.0, 0.7) for y in (-0.5, 0.0, 1.0)]))
@settings(max_examples=repeats(3, 15), deadline=None)
def test_the_order_of_the_points_does_not_change_a_bit(bn, statistics, order):
    case = BY_NAME["resnet with batch norm"]
    objective = objective_of(case, torch.float32, batch_size=4)
    directions = plane_of(objective, statistics=statistics)
    mode = EvaluationMode(rewritten=True)
    evaluator = PointEvaluator(objective, directions, "train", mode=mode, bn=bn)
    for point in order:
        fresh = PointEvaluator(
            objective_of(case, torch.float32, batch_size=4), directions, "train", mode=mode, bn=bn
        )
        assert evaluator(point).tobytes() == fresh(point).tobytes()


@pytest.mark.parametrize("bn", ["fixed", "reestimate"])
def test_close_puts_weights_and_statistics_back(bn):
    objective = resnet()
    before = {key: value.clone() for key, value in objective.module.state_dict().items()}
    evaluation, hashed = objective.evaluate(), objective.weights_hash()
    evaluator = PointEvaluator(objective, plane_of(objective, statistics=True), "train", bn=bn)
    for point in POINTS:
        evaluator(point)
    assert objective.weights_hash() != hashed or bn == "fixed"
    evaluator.close()
    after = objective.module.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert objective.evaluate() == evaluation
    assert objective.weights_hash() == hashed


@pytest.mark.parametrize("bn", ["fixed", "reestimate"])
def test_close_puts_them_back_when_the_loss_raises(bn):
    objective = resnet()
    before = {key: value.clone() for key, value in objective.module.state_dict().items()}
    evaluator = PointEvaluator(objective, plane_of(objective, statistics=True), "train", bn=bn)

    def broken(outputs, targets):
        raise ZeroDivisionError

    objective.criterion = Criterion(broken)
    with pytest.raises(ZeroDivisionError):
        evaluator((0.5, 0.5))
    evaluator.close()
    after = objective.module.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not any(part.training for part in objective.module.modules())


def test_the_users_model_is_not_touched():
    model = randomise(nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)))
    state = copy.deepcopy(model.state_dict())
    data = torch.randn(6, 5), torch.randint(3, (6,))
    objective = Objective(model, data, device="cpu")
    evaluator = PointEvaluator(objective, plane_of(objective), "train", bn="reestimate")
    evaluator((1.0, 1.0))
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("count", [0, 3])
def test_one_or_two_directions(count):
    objective = resnet()
    with pytest.raises(InputError, match=f"one or two directions, got {count}"):
        PointEvaluator(objective, [make_direction(objective)] * count, "train")
