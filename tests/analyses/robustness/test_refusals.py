"""What can't be measured, and settings that are not valid."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import robustness
from analyses.robustness.settings import Settings
from landscape.data.samples import Normalization
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from tests.analyses.robustness.problems import NOTHING, objective, source, trained


class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = trained()

    def forward(self, inputs):
        return self.model(inputs).unsqueeze(2)


def refused(match, model, inputs, targets, loss=F.cross_entropy, settings=NOTHING):
    problem = Objective(model, (inputs, targets), loss, device="cpu")
    with pytest.raises(NotMeasurableError, match=match) as caught:
        robustness.compute(problem, settings)
    assert "\n" not in str(caught.value)


def test_what_is_no_picture_is_refused():
    targets = torch.zeros(6, dtype=torch.int64)
    line = nn.Linear(4, 3)
    refused("needs pictures, inputs of shape", line, torch.rand(6, 4), targets)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    shape = r"got \(6, 2, 4, 6\)"
    refused(shape, flat, torch.rand(6, 2, 4, 6), targets)
    shift = r"pixels have to lie in \[0, 1\].*--mean and --std"
    refused(shift, flat, torch.rand(6, 3, 4, 4) - 0.5, targets)
    refused(shift, flat, torch.full((6, 3, 4, 4), torch.nan), targets)
    values = torch.rand(6, 3)
    refused("one class number per picture", flat, torch.rand(6, 3, 4, 4), values, F.mse_loss)
    word = replace(NOTHING, sets=("v2=/nowhere",))
    refused("--sets needs to know", flat, torch.rand(6, 3, 4, 4), targets, settings=word)


def test_outputs_of_another_shape_are_refused():
    def loss(outputs, targets):
        return F.cross_entropy(outputs[:, :, 0], targets)

    samples = source()
    inputs = samples.inputs / 255
    refused("shape .pictures, classes., got", Wrapped(), inputs, samples.targets, loss)


def test_a_wrong_normalisation_is_noticed():
    samples = source()
    wrong = replace(samples, normalization=Normalization((0.0,), (3.0,)))
    with pytest.raises(NotMeasurableError, match="after undoing their normalisation"):
        robustness.compute(objective(samples, source=wrong), NOTHING)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"corruptions": "fog,rust"}, "--corruptions has to be all, none or some of .*fog,rust"),
        ({"corruptions": ""}, "--corruptions has to be"),
        ({"attack_radius": (4.0, 0.0)}, "--attack-radius has to be above 0 .* got 4 0"),
        ({"attack_radius": (math.nan,)}, "--attack-radius has to be above 0"),
        ({"attack_radius": (4.0, 4.0)}, "--attack-radius has to be different radii, got 4 4"),
        ({"attack_steps": 0}, "--attack-steps has to be at least 1, got 0"),
        ({"attack_step": -1.0}, "--attack-step has to be above 0"),
        ({"sets": ("v2",)}, "--sets has to be NAME=DIR or NAME=FILE.json, got v2"),
        ({"sets": ("a=x", "a=y")}, "--sets has to be sets of different names, got a a"),
    ],
)
def test_settings_that_ask_for_nothing(wrong, match):
    with pytest.raises(InputError, match=match) as caught:
        Settings(**wrong)
    assert "\n" not in str(caught.value)
