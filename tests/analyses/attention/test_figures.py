"""The pictures of attention."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from analyses import attention
from analyses.attention.settings import Settings
from analyses.drawing.style import styled
from tests.analyses.attention.problems import LABELS, measure, samples, several, transformer
from tests.analyses.pictures import coloured, texts
from tests.profile import some

PICTURES = ["attention", "attention-rollout", "attention-heads", "attention-entropy"]


@cache
def drawn(count):
    with styled():
        return attention.draw(several(count))


@pytest.mark.parametrize("count", some([1, 6, 2], 2))
def test_pictures_show_every_label_and_are_not_blank(count):
    pages = drawn(count)
    assert list(pages) == PICTURES
    assert set(PICTURES) | {""} == set(attention.ANALYSIS.reading)
    with styled():
        assert all(min(coloured(page).values()) > 50 for page in pages.values())
    for page in pages.values():
        # A title is broken into lines where it is wider than its panel.
        words = {"".join(text.split()) for text in texts(page)}
        assert words >= {"".join(label.split()) for label in LABELS[:count]}


def test_a_single_sample_is_drawn():
    with styled():
        attention.draw([measure(source=samples().take(torch.tensor([3])))])


def test_maps_of_one_scale_beside_what_was_shown():
    first, second = several(2)
    shown = [axes.images[0] for axes in drawn(2)["attention"].axes if axes.images]
    assert len(shown) == 4 * 3
    np.testing.assert_array_equal(shown[0].get_array(), first.maps.pixels[0])
    np.testing.assert_array_equal(shown[1].get_array(), first.maps.mean[0])
    np.testing.assert_array_equal(shown[2].get_array(), second.maps.mean[0])
    assert len({image.get_clim() for image in shown if image.get_array().ndim == 2}) == 1
    turned = replace(second.maps, pixels=second.maps.pixels[:, ::-1].copy())
    page = attention.draw([first, replace(second, maps=turned)])["attention"]
    assert [axes.get_title() for axes in page.axes[:4]] == ["input", "_old", "input", "a_b^c"]


def test_more_pictures_than_a_page_holds():
    first = measure(settings=Settings(pictures=5))
    maps = replace(
        first.maps, pixels=first.maps.pixels.repeat(4, axis=0), classes=first.maps.classes * 4,
        indices=np.arange(20), raw=first.maps.raw.repeat(4, axis=0),
        rolled=first.maps.rolled.repeat(4, axis=0),
    )  # fmt: skip
    many = replace(first, maps=maps)
    assert attention.tabulate([many])[""][0]["maps"].endswith("10, 11 and 8 more")
    page = attention.draw([many])["attention"]
    assert len([axes for axes in page.axes if axes.images]) == 2 * 12


def test_grids_of_different_size_are_made_comparable():
    first, second = measure(), measure(transformer(patch_size=1), label="fine")
    page = attention.draw([first, second])["attention"]
    shown = [axes.images[0].get_array() for axes in page.axes if axes.images]
    np.testing.assert_allclose(shown[1], 9 * first.maps.mean[0])
    np.testing.assert_allclose(shown[2], 36 * second.maps.mean[0])
    assert "× patches" in page.axes[-1].get_ylabel()


def test_heads_of_the_first_picture():
    first, second = several(2)
    many = replace(first.maps, raw=np.tile(first.maps.raw, (1, 7, 1, 1)))
    page = attention.draw([replace(first, maps=many), second])["attention-heads"]
    titles = [axes.get_title() for axes in page.axes if axes.get_title()]
    assert titles == [*map(str, range(1, 15)), "1", "2"]


def test_networks_of_one_kind_share_a_panel_of_entropies():
    results = several(6)  # of two and of three layers in turn
    first, second = drawn(6)["attention-entropy"].axes
    assert [len(first.containers), len(second.containers)] == [3, 3]
    for bars, shown in zip(first.containers, results[::2], strict=True):
        np.testing.assert_array_equal(bars[0].get_ydata(), shown.by_layer)
    np.testing.assert_allclose(second.lines[0].get_ydata(), [math.log(10)] * 3)
