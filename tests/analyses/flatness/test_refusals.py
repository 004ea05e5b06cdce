"""What can't be measured, and settings that are not valid."""

import math

import pytest
from torch import nn

from analyses import flatness
from analyses.flatness.settings import Settings
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from tests.analyses.flatness.problems import SMALL
from tests.analyses.problems import samples


def test_a_loss_that_is_not_finite_at_the_weights_is_refused():
    model = nn.Linear(4, 3)
    nn.init.constant_(model.weight, math.nan)
    problem = Objective(model, samples(), device="cpu", verify=False)
    with pytest.raises(NotMeasurableError, match="around weights of finite loss; the loss is nan"):
        flatness.compute(problem, SMALL)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"draws": 0}, "--draws has to be at least 1, got 0"),
        ({"ascent_steps": 0}, "--ascent-steps has to be at least 1, got 0"),
        ({"noise": ("loud",)}, "noise has to be one of fixed, .*, got .*loud"),
        ({"noise": ("fixed", "fixed")}, "--noise has to be different words"),
        ({"sigmas": ()}, "--sigmas has to be positive and increasing, got nothing"),
        ({"sigmas": (0.0,)}, "--sigmas has to be positive and increasing, got 0.0"),
        ({"relative_sigmas": (0.2, 0.1)}, "--relative-sigmas has to be .*, got 0.2 0.1"),
        ({"radii": (0.1, 0.1)}, "--radii has to be positive and increasing"),
        ({"linf_radii": (math.nan,)}, "--linf-radii has to be positive and increasing"),
        ({"adaptive_radii": (math.inf,)}, "--adaptive-radii has to be positive"),
        ({"perturb": ("bias=copy",)}, "--perturb bias=copy is not noise"),
        ({"perturb": ("bias",)}, "expected KIND=TREATMENT"),
    ],
)
def test_settings_that_ask_for_nothing_are_refused(wrong, message):
    with pytest.raises(InputError, match=message) as refused:
        Settings(**wrong)
    assert "\n" not in str(refused.value)
