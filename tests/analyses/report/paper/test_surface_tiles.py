"""The surfaces that a report begins with: which, in which order, and on one scale."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from analyses.drawing.options import PlotOptions
from analyses.report.paper.surface_tiles import MOST_TILES, surface_tiles
from analyses.surface.perspective_figures import shared_heights, surface_tile
from tests.analyses.problems import having_loss, result
from tests.analyses.report.paper.planted import origin_of


def planes(*networks):
    """A surface for each label, with the family and the radius of SAM."""
    measured = result("surface")
    return {
        "surface": [
            replace(
                measured,
                label=label,
                provenance=replace(measured.provenance, origin=origin_of(family, rho)),
            )
            for label, family, rho in networks
        ]
    }


def labels(tiles):
    return [tile.label for tile in tiles.tiles]


def test_each_network_without_sam_is_followed_by_the_same_with_it():
    tiles = surface_tiles(
        planes(("v", "vit", 0.0), ("m", "mixer", 0.0), ("m-sam", "mixer", 0.1), ("s", "vit", 0.1))
    )
    assert labels(tiles) == ["m", "m-sam", "v", "s"]
    assert tiles.is_paired
    assert tiles.columns == 2


@pytest.mark.parametrize(
    "networks",
    [
        [("a", "vit", None), ("b", "vit", None)],
        [("b", "vit", 0.1), ("a", "vit", 0.0), ("c", "mixer", 0.0)],
        [("b", "vit", 0.1), ("a", "vit", 0.0), ("c", "vit", 0.2)],
    ],
    ids=["unknown", "one too many", "two with SAM"],
)
def test_networks_that_are_no_pairs_keep_their_order(networks):
    tiles = surface_tiles(planes(*networks))
    assert labels(tiles) == [label for label, _, _ in networks]
    assert not tiles.is_paired
    assert tiles.columns == len(networks)


def test_of_replicates_the_first_is_shown_and_named():
    tiles = surface_tiles(
        planes(
            *(
                (f"{name}/seed-{k}", "vit", rho)
                for k in (1, 2)
                for name, rho in (("v", 0.0), ("s", 0.1))
            )
        )
    )
    assert labels(tiles) == ["v, seed-1 (1 of 2 runs)", "s, seed-1 (1 of 2 runs)"]
    assert tiles.is_paired


def test_of_many_networks_some_are_left_out():
    tiles = surface_tiles(planes(*((f"n{k}", "mine", None) for k in range(MOST_TILES + 3))))
    assert labels(tiles) == [f"n{k}" for k in range(MOST_TILES)]
    assert tiles.left_out == 3


def test_without_a_surface_there_are_no_tiles():
    assert surface_tiles({"hessian": [result("hessian")]}) is None
    assert surface_tiles({}) is None


def test_all_tiles_have_one_scale_of_heights():
    low = result("surface")
    high = having_loss(low, 50 * low.loss, label="high")
    heights = shared_heights([low, high])
    assert heights.is_log
    assert heights.lowest == low.loss.min()
    assert heights.highest == pytest.approx(50 * low.loss.max())
    limits = [surface_tile(each, heights).axes[0].get_zlim() for each in (low, high)]
    assert limits[0] == limits[1] == pytest.approx(np.log10([heights.lowest, heights.highest]))
    linear = shared_heights([low, high], PlotOptions(scale="linear", zmax=9.0))
    assert not linear.is_log
    assert surface_tile(low, linear).axes[0].get_zlim() == (linear.lowest, 9.0)


def test_tiles_and_scale_are_drawn():
    tiles = surface_tiles(planes(("v", "vit", 0.0)))
    for picture in (tiles.tiles[0].picture, tiles.bar):
        image = Image.open(io.BytesIO(picture.render("png"))).convert("RGB")
        assert len(image.getcolors(maxcolors=2**24)) > 50
