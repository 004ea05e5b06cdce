"""Refined surfaces whose points are measured in faster arithmetic than float32."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analyses import surface
from analyses.run_context import RunContext
from analyses.surface.measure import measure
from analyses.surface.result import Surface
from analyses.surface.settings import Settings
from analyses.surface.tables import REFINED as REFINED_TABLE
from analyses.surface.tables import tabulate
from landscape.slices import low_precision
from tests.analyses.case_objectives import case_objective
from tests.analyses.interruptions import interrupt_after


@pytest.fixture
def faster_arithmetic(monkeypatch):
    """Small networks are not faster in bfloat16; here every arithmetic is fast enough."""
    monkeypatch.setattr(low_precision, "WORTHWHILE_SECONDS", 0.0)
    monkeypatch.setattr(low_precision, "WORTHWHILE_GAIN", 0.0)


REFINED = Settings(x=(-1, 1, 21), y=(-1, 1, 21), refine=True, tolerance=0.2)


@pytest.mark.usefixtures("faster_arithmetic")
def test_points_of_a_refined_surface_may_be_measured_in_faster_arithmetic(tmp_path):
    problem = case_objective("mlp with tied weights", torch.float32)
    result = surface.compute(problem, REFINED)
    noise = result.mode["noise"]
    assert result.mode["precision"] == "bf16"
    assert 0 < noise <= REFINED.tolerance / 3
    error = result.errors["train_loss"]
    np.testing.assert_array_equal(error[result.measured], noise)
    exact = surface.compute(problem, replace(REFINED, refine=False))
    assert exact.mode["precision"] == "fp32"
    assert not exact.errors
    relative = result.loss / exact.loss - 1
    assert np.sqrt((relative**2).mean()) <= REFINED.tolerance
    assert np.abs(relative[result.measured]).max() <= 5 * noise
    assert result.loss_at_origin == exact.loss_at_origin  # by the plain module
    result.save(tmp_path / "surface.h5")
    loaded = Surface.load(tmp_path / "surface.h5")
    assert loaded.mode == result.mode
    np.testing.assert_array_equal(loaded.errors["train_loss"], error)
    (row,) = tabulate([result])[REFINED_TABLE]
    assert row["arithmetic of the points"] == "bf16"


@pytest.mark.usefixtures("faster_arithmetic")
def test_exact_points_are_measured_in_the_precision_asked_for():
    problem = case_objective("mlp with tied weights", torch.float32)
    result = surface.compute(problem, replace(REFINED, exact_points=True))
    assert result.mode["precision"] == "fp32"
    assert not result.errors["train_loss"][result.measured].any()


@pytest.mark.usefixtures("faster_arithmetic")
def test_faster_arithmetic_is_resumed_to_the_same_bits(tmp_path, monkeypatch):
    problem = case_objective("mlp with tied weights", torch.float32)
    expected = surface.compute(problem, REFINED)
    context = RunContext(tmp_path)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 100)
        with pytest.raises(KeyboardInterrupt):
            measure(problem, REFINED, context)
    monkeypatch.setattr(low_precision, "WORTHWHILE_GAIN", 1e9)  # what was decided stays
    resumed = measure(problem, REFINED, context)
    assert resumed.mode == expected.mode
    np.testing.assert_array_equal(resumed.loss, expected.loss)
    np.testing.assert_array_equal(resumed.errors["train_loss"], expected.errors["train_loss"])


def test_a_refined_surface_of_which_every_point_was_measured_has_its_table():
    problem = case_objective("mlp with tied weights", torch.float32)
    result = surface.compute(problem, Settings(x=(-1, 1, 5), y=(-1, 1, 5), refine=True))
    assert result.measured.all()
    (row,) = tabulate([result])[REFINED_TABLE]
    assert row["points measured"] == "25 of 25"
    assert row["the largest of them"] == "0.00 %"
