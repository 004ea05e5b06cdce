"""The pictures of sparsity."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from analyses import sparsity
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import network, result, samples
from tests.analyses.sparsity.problems import case_objective, measure


def test_networks_of_one_architecture_share_a_panel():
    results = result("sparsity", 0), result("sparsity", 1)
    page = sparsity.draw(results)["sparsity"]
    (axes,) = page.axes
    assert len(axes.containers) == 2
    for bars, shown in zip(axes.containers, results, strict=True):
        np.testing.assert_allclose(bars[0].get_ydata(), 100 * shown.active)
        np.testing.assert_array_equal(bars[0].get_xdata(), [1, 2])
    assert axes.get_ylim() == (0, 100)


def test_different_architectures_have_panels_of_their_own():
    names = ("mixer", "vit", "resnet with batch norm")
    shown = [replace(sparsity.compute(case_objective(name)), label=name) for name in names]
    page = sparsity.draw(shown)["sparsity"]
    titles = [axes.get_title() for axes in page.axes if axes.axison]
    assert titles == ["token-mixing MLP", "channel-mixing MLP", "MLP", "all activations"]
    assert min(coloured(page).values()) > 20


def test_dead_layers_saturated_layers_and_a_single_sample_are_drawn():
    dead, saturated = network(), network()
    nn.init.constant_(dead[0].bias, -100.0)
    nn.init.constant_(saturated[0].bias, 100.0)
    for results in (
        [measure(dead, *samples()), measure(saturated, *samples())],
        [measure(network(), torch.randn(1, 4))],
    ):
        render(sparsity.draw(results)["sparsity"])
