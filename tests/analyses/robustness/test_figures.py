"""The picture of robustness."""

from dataclasses import replace
from functools import cache

import pytest

from analyses import robustness
from analyses.drawing.style import styled
from tests.analyses.pictures import coloured, render, texts
from tests.analyses.robustness.problems import LABELS, NOTHING, example, labelled, objective


@cache
def drawn(labels):
    with styled():
        return robustness.draw(labelled(labels))


@pytest.mark.parametrize("count", [1, 2, 6])
def test_pictures_are_drawn_and_not_blank(count):
    with styled():
        pages = drawn(tuple(LABELS[:count]))
        assert list(pages) == ["robustness"]
        pixels = coloured(pages["robustness"])
    assert len(pixels) == 4
    assert min(pixels.values()) > 50


@pytest.mark.parametrize(("settings", "panels"), [
    (NOTHING, 1),
    (replace(NOTHING, corruptions="fog"), 2),
    (replace(NOTHING, attack_radius=(8.0,)), 3),
])  # fmt: skip
def test_pictures_of_a_part(settings, panels):
    result = robustness.compute(objective(), settings)
    with styled():
        pixels = coloured(robustness.draw([result])["robustness"])
    assert len(pixels) == panels
    assert min(pixels.values()) > 20
    assert robustness.tabulate([result])[""]


def test_networks_that_were_asked_different_things_share_a_picture():
    first, second = example(0), robustness.compute(objective(), NOTHING)
    with styled():
        render(robustness.draw([second, first])["robustness"])


@pytest.mark.parametrize("labels", [LABELS, ["a$b_c^d^e$"]], ids=["any", "a formula"])
def test_any_label_is_shown(labels):
    shown = texts(drawn(tuple(labels))["robustness"])
    assert shown >= {*labels, "r_x$"}
