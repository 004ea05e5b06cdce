"""Surfaces in perspective: which points are drawn, and in which colours."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps

from analyses.drawing.options import PlotOptions
from analyses.drawing.style import colour_map
from analyses.slices.grid import Axis
from analyses.surface.perspective_figures import drawn_lines, shared_heights, surfaces_3d
from analyses.surface.result import Surface
from tests.analyses.problems import result


def plane(count, loss_of, log=False):
    """A plane of known losses, and its facets: corners (n, 4, 3) and colours (n, 4)."""
    x = Axis(-1, 1, count).coordinates
    y = Axis(-1, 2, count + 1).coordinates
    loss = loss_of(*np.meshgrid(x, y))
    known = np.ones(loss.shape, dtype=bool)
    shown: Surface = replace(
        result("surface"), x=x, y=y, values={"train_loss": loss}, measured=known
    )
    options = PlotOptions(scale="log" if log else "linear")
    facets = surfaces_3d([shown], options).axes[0].collections[0]
    return shown, np.array(facets._faces)[..., :3], facets._facecolor3d, options


@pytest.mark.parametrize("count", [2, 51, 70, 71, 102, 301])
def test_the_network_itself_is_drawn(count):
    """Its loss is the least by far, in one point of the grid."""
    shown, corners, _, _ = plane(count, lambda x, y: 0.01 + 100 * np.hypot(x, y))
    x, y = shown.x[np.abs(shown.x).argmin()], shown.y[np.abs(shown.y).argmin()]
    points = corners.reshape(-1, 3)
    nearest = points[np.hypot(points[:, 0] - x, points[:, 1] - y) < 1e-9]
    assert len(nearest) in (1, 2, 4)  # the facets around it
    np.testing.assert_allclose(nearest[:, 2], shown.loss.min())
    for axis, along in enumerate((shown.x, shown.y)):
        assert (points[:, axis].min(), points[:, axis].max()) == (along[0], along[-1])


def test_lines_are_few_and_even():
    for count in range(2, 400):
        lines = drawn_lines(np.linspace(-1, 1.5, count))
        steps = np.diff(lines)
        assert len(lines) <= 63
        assert len(set(steps[1:-1])) <= 1
        assert steps.max() == -(-(count - 1) // 60)


@pytest.mark.parametrize("log", [False, True])
def test_a_facet_has_the_colour_of_its_mean_height(log):
    shown, corners, colours, options = plane(5, lambda x, y: np.exp(2 * x + y + 3), log)
    heights = shared_heights([shown], options)
    middle = corners[..., 2].mean(1)
    expected = colormaps[colour_map()](heights.colours(10**middle if log else middle))
    np.testing.assert_allclose(colours, expected, atol=1e-9)
