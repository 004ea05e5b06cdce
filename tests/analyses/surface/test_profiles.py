"""The mean loss by distance from the network, of surfaces along several pairs of directions."""

import numpy as np
import pytest

from analyses import surface
from tests.analyses.pictures import render
from tests.analyses.problems import network, samples


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((0, 1, 5), (0, 1, 5)),
        ((-1, 0, 4), (-1, 1, 5)),
        ((0.5, 1, 5), (0.5, 1, 4)),
        ((-1, 1, 2), (-1, 1, 2)),
    ],
    ids=["one side", "to the network", "beside the network", "corners"],
)
def test_grids_around_which_no_ring_closes_are_drawn(x, y):
    shown = surface.of(network(), samples(), x=x, y=y, repeats=2)
    page = surface.draw([shown])["surface_repeats"]
    render(page)
    radii, losses = page.axes[0].get_lines()[0].get_data()
    assert len(radii) > 0
    assert (np.diff(radii) > 0).all()
    means = shown.repeats["train_loss"].mean(0)
    assert means.min() <= min(losses) <= max(losses) <= means.max()
    farthest = np.hypot(*np.meshgrid(shown.x, shown.rows)).max()
    assert radii[-1] == pytest.approx(farthest, rel=0.2)


def test_rings_are_whole_around_a_network_within():
    shown = surface.of(network(), samples(), x=(-1, 3, 9), y=(-2, 2, 9), repeats=2)
    radii, _ = surface.draw([shown])["surface_repeats"].axes[0].get_lines()[0].get_data()
    assert radii.max() <= 1
