"""The picture of flatness."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from analyses import flatness
from landscape.objective.objective import Objective
from tests.analyses.flatness.problems import SMALL, at_a_wall, measured
from tests.analyses.pictures import coloured, render
from tests.oracles.cases import BY_NAME


def test_a_panel_for_each_noise_and_ball_with_every_result():
    result = [replace(measured(seed), label=f"{seed}") for seed in range(2)]
    page = flatness.draw(result)["flatness"]
    panels = [axes for axes in page.axes if axes.axison]
    assert len(panels) == 6
    for axes, kind in zip(panels, ("fixed", "filter", "adaptive"), strict=False):
        for line, shown in zip(axes.lines, result, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), shown.average[kind].mean)
            np.testing.assert_array_equal(line.get_xdata(), shown.average[kind].sigmas)
    np.testing.assert_array_equal(panels[3].lines[0].get_ydata(), result[0].worst["l2"].losses)
    assert min(coloured(page).values()) > 50


def test_negative_losses_have_a_linear_axis():
    case = BY_NAME["linear regression"]
    problem = Objective(
        case.model(),
        case.data,
        lambda outputs, targets: F.mse_loss(outputs, targets) - 50,
        device="cpu",
        dtype=torch.float64,
    )
    page = flatness.draw([flatness.compute(problem, SMALL)])["flatness"]
    assert {axes.get_yscale() for axes in page.axes if axes.axison} == {"linear"}


def test_a_single_draw_and_draws_that_are_not_finite_are_drawn():
    for result in (measured(settings=replace(SMALL, draws=1)), at_a_wall()):
        render(flatness.draw([result])["flatness"])
