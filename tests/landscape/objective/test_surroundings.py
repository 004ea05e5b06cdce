"""What the caller has switched on changes no number, and measuring changes nothing of theirs."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from landscape.runtime.isolation import isolated, neutralised
from tests.landscape.objective.problems import Objective32, mlp, vectors


def states():
    return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()  # noqa: NPY002


@pytest.mark.parametrize("shuffle", [True, False])
def test_reading_a_loader_leaves_the_random_state_alone(shuffle):
    inputs, targets = vectors()
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=5, shuffle=shuffle)
    model, before = mlp(), states()
    Objective32(model, loader).gradient()
    assert states() == before


def test_data_that_draw_random_numbers_leave_the_state_alone():
    inputs, targets = vectors()

    def noisy():
        yield inputs + torch.randn_like(inputs) + np.random.rand() + random.random(), targets  # noqa: NPY002

    model, before = mlp(), states()
    Objective32(model, noisy()).loss()
    assert states() == before


@pytest.mark.parametrize("when", ["construction", "measuring"])
def test_autocast_around_the_call_is_switched_off_and_recorded(when):
    model, data = mlp(), vectors()
    reference = Objective32(model, data)
    with torch.autocast("cpu", torch.bfloat16, enabled=when == "construction"):
        objective = Objective32(model, data)
    with torch.autocast("cpu", torch.bfloat16):
        assert objective.loss() == reference.loss()
        assert torch.equal(objective.gradient(), reference.gradient())
    recorded = objective.origin.get("switched_off", [])
    assert recorded == (["autocast (cpu)"] if when == "construction" else [])


def test_inference_mode_around_the_call_is_switched_off():
    model, data = mlp(), vectors()
    reference = Objective32(model, data)
    with torch.inference_mode():
        objective = Objective32(model, tuple(tensor.clone() for tensor in data))
        assert objective.loss() == reference.loss()
        assert torch.equal(objective.gradient(), reference.gradient())
        assert neutralised() == {"switched_off": ["inference_mode"]}
    assert objective.origin["switched_off"] == ["inference_mode"]
    assert neutralised() == {}


def test_switches_are_as_they_were_after_an_error(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    assert torch.backends.mha.get_fastpath_enabled()
    seen = []

    def fail():
        seen.append(torch.backends.mha.get_fastpath_enabled())
        seen.append(torch.backends.cudnn.benchmark)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), isolated():
        fail()
    assert seen == [False, False]
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.cudnn.benchmark
