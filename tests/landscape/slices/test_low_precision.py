"""Faster arithmetic where a tolerance allows it, and what it does to the values."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from landscape.objective.objective import Objective
from landscape.slices import low_precision as module
from landscape.slices.choose_mode import choose_mode
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator
from landscape.slices.low_precision import PrecisionNeed, largest_difference, noise_of
from tests.landscape.slices.evaluated import objective_of, plane_of
from tests.oracles.cases import BY_NAME

PROBES = [(0.0, 0.0), (0.5, -0.5), (1.0, 1.0)]
POINTS = [(0.2, 0.7), (-0.6, 0.1), (0.9, -0.9), (-0.3, -0.4)]
NAMES = ["train_loss", "train_acc", "train_loss_stderr"]
MLP, RESNET = BY_NAME["mlp with tied weights"], BY_NAME["resnet with batch norm"]

both_models = pytest.mark.parametrize("case", [MLP, RESNET], ids=lambda case: case.name)


@pytest.fixture
def always_faster(monkeypatch):
    """Small networks are not faster in bfloat16; here every arithmetic is fast enough."""
    monkeypatch.setattr(module, "WORTHWHILE_SECONDS", 0.0)
    monkeypatch.setattr(module, "WORTHWHILE_GAIN", 0.0)


def choose(case, error, precision="fp32", is_fixed=False, dtype=torch.float32):
    objective = objective_of(case, dtype, precision=precision)
    need = PrecisionNeed(error, POINTS, is_fixed=is_fixed)
    return choose_mode(objective, plane_of(objective), "train", PROBES, 2601, need=need)


def values_at(case, mode):
    objective = objective_of(case, torch.float32)
    evaluator = PointEvaluator(objective, plane_of(objective), "train", mode=mode)
    values = [evaluator(point) for point in POINTS]
    evaluator.close()
    return np.array(values)


@both_models
@pytest.mark.usefixtures("always_faster")
def test_the_noise_is_the_root_mean_square_difference_from_the_plain_module(case):
    mode = choose(case, 0.1)
    assert mode.precision == "bf16"
    low, exact = values_at(case, mode), values_at(case, EvaluationMode())
    relative = (low - exact) / np.array([exact[:, 0], np.ones(len(exact)), exact[:, 2]]).T
    expected = np.sqrt((relative**2).mean(0))
    assert list(mode.noise) == NAMES
    np.testing.assert_allclose(list(mode.noise.values()), expected, rtol=1e-2, atol=1e-9)
    np.testing.assert_allclose(mode.error, np.abs(relative[:, 0]).max(), rtol=1e-2)
    assert 1e-5 < mode.noise["train_loss"] < 0.1


@both_models
@pytest.mark.usefixtures("always_faster")
def test_a_small_tolerance_keeps_float32(case):
    mode = choose(case, 1e-6)
    assert (mode.precision, dict(mode.noise)) == ("fp32", {})


@pytest.mark.usefixtures("always_faster")
def test_the_precision_that_was_asked_for_can_be_kept():
    assert choose(MLP, 0.1, is_fixed=True).precision == "fp32"
    assert choose(MLP, 0.1, "fp64", dtype=torch.float64) == EvaluationMode("fp64")


def test_faster_arithmetic_is_not_tried_for_short_measurements(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("tried")

    monkeypatch.setattr(module.ModeTrials, "values", refuse)
    assert choose(MLP, 0.1).precision == "fp32"


@pytest.mark.parametrize("is_fixed", [False, True])
def test_low_precision_that_was_asked_for_has_its_noise(is_fixed):
    mode = choose(MLP, 1e-9, "bf16", is_fixed)
    assert mode.precision == "bf16"
    assert 1e-5 < mode.noise["train_loss"] < 0.1


def test_arithmetic_that_is_slower_is_not_used(monkeypatch):
    monkeypatch.setattr(module, "WORTHWHILE_SECONDS", 0.0)
    monkeypatch.setattr(module, "WORTHWHILE_GAIN", 1e9)
    assert choose(MLP, 0.1).precision == "fp32"


@pytest.mark.usefixtures("always_faster")
def test_a_model_that_lacks_a_kernel_is_measured_in_float32(monkeypatch):
    values = module.ModeTrials.values

    def without_bfloat16(trials, mode, points):
        if mode.precision == "bf16":
            raise RuntimeError("not implemented for 'BFloat16'")
        return values(trials, mode, points)

    monkeypatch.setattr(module.ModeTrials, "values", without_bfloat16)
    assert choose(MLP, 0.1).precision == "fp32"


def test_points_that_are_finite_in_one_arithmetic_alone():
    finite, infinite = {"train_loss": 2.0, "train_acc": 50.0}, {
        "train_loss": math.inf, "train_acc": 10.0
    }  # fmt: skip
    assert noise_of([infinite], [finite])["train_loss"] == math.inf
    assert noise_of([infinite], [infinite])["train_loss"] == math.inf  # nothing was compared
    near = {"train_loss": 2.02, "train_acc": 51.0}
    noise = noise_of([near, infinite], [finite, infinite])
    assert noise["train_loss"] == pytest.approx(0.01)
    assert noise["train_acc"] == pytest.approx(math.sqrt(0.5))
    assert largest_difference([near, infinite], [finite, infinite]) == pytest.approx(0.01)


def test_values_that_a_task_does_not_have_have_no_noise():
    """An accuracy of a regression is nan in every arithmetic, and its error would be infinite."""
    data = torch.randn(6, 4), torch.randn(6, 2)
    objective = Objective(nn.Linear(4, 2), data, device="cpu", precision="bf16")
    need = PrecisionNeed(0.1, POINTS)
    mode = choose_mode(objective, plane_of(objective), "train", PROBES, 2601, need=need)
    assert mode.precision == "bf16"
    assert list(mode.noise) == ["train_loss", "train_loss_stderr"]
