"""Splits and metrics of results tell each other apart."""

import pytest
import torch
from torch import nn

from analyses import interpolate, line
from landscape.directions.direction import Direction
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective

DATA = torch.randn(12, 3, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 2


def half(outputs, targets):
    return outputs.square().mean() / 2


def test_a_metric_that_ends_like_a_loss_is_no_split(tmp_path):
    torch.manual_seed(0)
    objective = Objective(
        nn.Linear(3, 2),
        DATA,
        device="cpu",
        metrics={"aux_loss": half},
        extra_splits={"test": DATA},
    )
    result = line.compute(objective, line.Settings(x=(-1, 1, 3)))
    assert result.splits == ["train", "test"]
    assert result.values["train_loss"][1] == objective.loss()
    expected = half(objective.module(DATA[0]), None).item()
    assert abs(result.values["train_aux_loss"][1] - expected) < 1e-6
    assert result.plot()
    path = tmp_path / "line.h5"
    result.save(path)
    assert line.Line.load(path).splits == ["train", "test"]


@pytest.mark.parametrize("compute", [line.compute, interpolate.compute])
def test_a_given_direction_is_not_repeated(compute):
    problem = Objective(nn.Linear(3, 2), DATA, device="cpu")
    along = Direction(torch.ones_like(problem.theta), problem.layout)
    settings = {line.compute: line, interpolate.compute: interpolate}[compute].Settings
    assert not compute(problem, settings(x=(0, 1, 3)), direction=along).repeats
    with pytest.raises(InputError, match="repeats=2 draws random directions, and these are given"):
        compute(problem, settings(x=(0, 1, 3), repeats=2), direction=along)


def test_a_keyword_that_nothing_takes_is_named():
    with pytest.raises(InputError, match="line.of takes no y; its settings are bn, "):
        line.of(nn.Linear(3, 2), DATA, y=(-1, 1, 3))


@pytest.mark.parametrize(
    "how",
    [{"perturb": ("kernel=zero",)}, {"policy": "all", "perturb": ("kernel=zero", "bias=zero")}],
)
def test_a_direction_that_moves_nothing_is_refused(how):
    with pytest.raises(NotMeasurableError, match=r"the x direction \(random\) is 0"):
        line.of(nn.Linear(3, 2), DATA, x=(-1, 1, 3), device="cpu", **how)
    moved = line.of(nn.Linear(3, 2), DATA, x=(-1, 1, 3), device="cpu", perturb=("bias=whole",))
    assert moved.loss[0] != moved.loss[1]


def test_equal_weights_are_told_of(caplog):
    problem = Objective(nn.Linear(3, 2), DATA, device="cpu")
    along = Direction(torch.zeros_like(problem.theta), problem.layout)
    with caplog.at_level("INFO"):
        result = interpolate.compute(problem, interpolate.Settings(x=(0, 1, 3)), direction=along)
    assert "the x direction is 0 (of equal weights?)" in caplog.text
    assert result.loss.min() == result.loss.max() == problem.loss()
