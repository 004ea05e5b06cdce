"""The values of a point are those of a model moved by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.errors import InputError
from landscape.objective.losses import brier, confidence
from landscape.objective.objective import Objective
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator
from tests.landscape.slices.evaluated import (
    POINTS,
    images,
    make_direction,
    moved_by_hand,
    objective_of,
    plane_of,
    resnet,
)
from tests.oracles.cases import BY_NAME, CASES
from tests.oracles.dense import dense_hessian

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
@pytest.mark.parametrize("rewritten", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_are_those_of_a_model_moved_by_hand(case, rewritten, dtype):
    objective = objective_of(case, dtype)
    directions, tolerance = plane_of(objective), {torch.float32: 2e-5, torch.float64: 1e-12}[dtype]
    mode = EvaluationMode("fp64" if dtype == torch.float64 else "fp32", rewritten=rewritten)
    evaluator = PointEvaluator(objective, directions, "train", mode=mode)
    inputs, targets = case.data
    for point in POINTS:
        values = dict(zip(evaluator.names, evaluator(point), strict=True))
        with torch.no_grad():
            outputs = moved_by_hand(case.model(), directions, point)(inputs)
            loss = case.loss(outputs, targets).item()
        assert values["train_loss"] == pytest.approx(loss, rel=tolerance)
        if targets.is_floating_point():
            assert math.isnan(values["train_acc"])
            each = F.mse_loss(outputs, targets, reduction="none").mean(1)
        else:
            correct = 100 * (outputs.argmax(1) == targets).double().mean().item()
            assert values["train_acc"] == pytest.approx(correct)
            each = F.cross_entropy(outputs, targets, reduction="none")
        stderr = each.std(correction=1).item() / len(targets) ** 0.5
        assert values["train_loss_stderr"] == pytest.approx(stderr, rel=100 * tolerance)


def test_a_line():
    case = BY_NAME["mlp with tied weights"]
    objective = objective_of(case)
    line = [make_direction(objective)]
    evaluator = PointEvaluator(objective, line, "train")
    for coordinate in (-1.0, 0.0, 0.3):
        model = moved_by_hand(case.model(), line, (coordinate,))
        expected = case.loss(model(case.data[0]), case.data[1]).item()
        assert evaluator([coordinate])[0] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    "mode",
    [
        EvaluationMode(),
        EvaluationMode(rewritten=True),
        EvaluationMode("bf16"),
        EvaluationMode("bf16", True),
    ],
)
def test_the_origin_is_exactly_the_objective(mode):
    objective = resnet(torch.float32)
    evaluator = PointEvaluator(objective, plane_of(objective), "train", mode=mode)
    evaluator((0.5, -0.5))
    loss, accuracy, stderr = evaluator((0.0, 0.0))
    evaluator.close()
    expected = objective.evaluate()
    assert (loss, accuracy, stderr) == (expected.loss, expected.accuracy, expected.loss_stderr)


def test_splits_and_metrics_in_one_pass():
    case = BY_NAME["resnet with batch norm"]
    others = {"test": images(5, seed=6), "noise": images(4, seed=7)}
    metrics = {"brier": brier, "confidence": confidence}
    objective = objective_of(case, extra_splits=others, metrics=metrics)
    directions = plane_of(objective)
    evaluator = PointEvaluator(objective, directions, "train")
    expected_names = [
        f"{split}_{what}"
        for split in ("train", "test", "noise")
        for what in ("loss", "acc", "loss_stderr", "brier", "confidence")
    ]
    assert evaluator.names == expected_names
    for point in POINTS:
        values = dict(zip(evaluator.names, evaluator(point), strict=True))
        model = moved_by_hand(case.model(), directions, point)
        for split, (inputs, targets) in {"train": case.data, **others}.items():
            with torch.no_grad():
                outputs = model(inputs)
            probabilities = outputs.softmax(1)
            errors = (probabilities - torch.eye(3, dtype=torch.float64)[targets]).square().sum(1)
            expected = {
                "loss": -probabilities.log()[range(len(targets)), targets].mean(),
                "acc": 100 * (outputs.argmax(1) == targets).double().mean(),
                "brier": errors.mean(),
                "confidence": probabilities.max(1).values.mean(),
            }
            for name, value in expected.items():
                assert values[f"{split}_{name}"] == pytest.approx(value.item(), rel=1e-11)


@pytest.mark.parametrize("rewritten", [False, True])
def test_statistics_move_along_directions_of_states(rewritten):
    case = BY_NAME["resnet with batch norm"]
    objective = resnet()
    both = plane_of(objective, statistics=True)
    alone = [both[0], make_direction(objective, 1)]  # one with statistics, one without
    mode = EvaluationMode("fp64", rewritten=rewritten)
    for directions in (both, alone):
        evaluator = PointEvaluator(objective, directions, "train", mode=mode)
        for point in POINTS:
            model = moved_by_hand(case.model(), directions, point)
            with torch.no_grad():
                expected = case.loss(model(case.data[0]), case.data[1]).item()
            # Both moved, or an accumulation over points would show.
            assert evaluator(point)[0] == pytest.approx(expected, rel=1e-12)
        evaluator.close()
    unmoved = PointEvaluator(objective, plane_of(objective), "train", mode=mode)
    assert unmoved(POINTS[2])[0] != pytest.approx(expected, rel=1e-6)


def test_statistics_taken_anew_are_of_the_training_samples():
    case = BY_NAME["resnet with batch norm"]
    objective = resnet(batch_size=7, extra_splits={"test": images(5)})
    directions = plane_of(objective)
    evaluator = PointEvaluator(objective, directions, "train", bn="reestimate")
    for point in POINTS:
        values = dict(zip(evaluator.names, evaluator(point), strict=True))
        model = moved_by_hand(case.model(), directions, point)
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 1.0
        with torch.no_grad():
            model.train()(case.data[0])
            model.eval()
            for split, (inputs, targets) in {"train": case.data, "test": images(5)}.items():
                expected = case.loss(model(inputs), targets).item()
                assert values[f"{split}_loss"] == pytest.approx(expected, rel=1e-12)


def test_eigenvalues_are_those_of_the_hessian_there():
    case = BY_NAME["mlp with tied weights"]
    objective = objective_of(case)
    directions = plane_of(objective)
    evaluator = PointEvaluator(objective, directions, "train", eigenvalues=True)
    assert evaluator.names[-3:] == ["min_eig", "max_eig", "eig_residual"]
    for point in POINTS[:3]:
        values = dict(zip(evaluator.names, evaluator(point), strict=True))
        model = moved_by_hand(case.model(), directions, point)
        dense = torch.linalg.eigvalsh(dense_hessian(model, *case.data, case.loss))
        scale = dense.abs().max().item()
        assert values["min_eig"] == pytest.approx(dense[0].item(), abs=1e-2 * scale)
        assert values["max_eig"] == pytest.approx(dense[-1].item(), abs=1e-2 * scale)


def test_losses_of_single_samples():
    case = BY_NAME["resnet with batch norm"]
    objective = resnet(torch.float32)
    directions = plane_of(objective)
    evaluator = PointEvaluator(
        objective, directions, "train", mode=EvaluationMode("bf16", rewritten=True)
    )
    evaluator.place(POINTS[2])
    outputs = moved_by_hand(case.model(), directions, POINTS[2])(case.data[0])
    expected = F.cross_entropy(outputs, case.data[1], reduction="none").detach()
    losses = evaluator.losses_here("train")
    assert losses.dtype == np.float64
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-5)


def test_non_finite_losses_are_returned_unchanged():
    data = torch.randn(4, 3), torch.randn(4, 2)
    objective = Objective(nn.Linear(3, 2), data, F.mse_loss, device="cpu")
    evaluator = PointEvaluator(objective, plane_of(objective), "train")
    assert evaluator((1e30, 0.0))[0] == math.inf
    assert math.isnan(evaluator((math.nan, 0.0))[0])
    assert math.isfinite(evaluator((0.1, 0.0))[0])


def test_a_loss_beyond_the_squares_of_float64():
    data = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    objective = Objective(nn.Linear(3, 2), data, F.mse_loss, device="cpu", dtype=torch.float64)
    evaluator = PointEvaluator(objective, plane_of(objective), "train")
    loss, _, stderr = evaluator((1e100, 0.0))
    assert 1e150 < loss < math.inf
    assert stderr >= 0 or math.isnan(stderr)


def test_the_name_of_another_split_is_refused():
    objective = resnet(batch_size=7, extra_splits={"test": images(5)})
    with pytest.raises(InputError, match="further samples that are called 'test'"):
        PointEvaluator(objective, plane_of(objective), "test")
