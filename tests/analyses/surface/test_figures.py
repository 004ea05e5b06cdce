"""Pictures of surfaces."""

from dataclasses import replace

import numpy as np
import pytest

from analyses import surface
from analyses.drawing.scales import masked, shared_scale
from analyses.slices.grid import Axis
from analyses.surface.figures import contours
from analyses.surface.settings import Settings
from tests.analyses.pictures import coloured, panels, render
from tests.analyses.problems import having_loss, result


def test_one_scale_for_all():
    losses = [result("surface", seed).loss for seed in range(2)]
    scale, levels = shared_scale(losses)
    both = np.concatenate(losses)
    assert (levels[0], levels[-1]) == (scale.vmin, scale.vmax) == (both.min(), both.max())
    assert (np.diff(levels) > 0).all()


@pytest.mark.parametrize(
    ("low", "high", "logarithmic"),
    [(1.0, 9.0, False), (1.0, 11.0, True), (-1.0, 100.0, False), (0.0, 5.0, False)],
)
def test_the_scale_is_logarithmic_where_the_losses_ask_for_it(low, high, logarithmic):
    scale, levels = shared_scale([np.linspace(low, high, 24).reshape(6, 4)])
    ratios, steps = levels[1:] / np.where(levels[:-1], levels[:-1], 1), np.diff(levels)
    assert np.allclose(ratios, ratios[0]) == logarithmic
    assert np.allclose(steps, steps[0]) != logarithmic
    assert scale(low) == 0
    assert scale(high) == 1


def test_infinities_do_not_set_the_scale():
    loss = np.array([[1.0, np.inf], [np.nan, 2.0]])
    assert shared_scale([loss])[0].vmax == 2
    assert masked(loss).mask.tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize(
    "change",
    [
        lambda loss: np.full_like(loss, 1.5),
        lambda loss: 0 * loss,
        lambda loss: loss - 5,
        lambda loss: 1 + 1e-9 * loss,
        lambda loss: np.exp(20 * loss),
        lambda loss: 1e30 * loss,
        lambda loss: np.where(loss > np.median(loss), np.inf, loss),
        lambda loss: np.where(loss == loss.min(), loss, np.nan),
    ],
    ids=["constant", "zero", "negative", "flat", "steep", "huge", "half infinite", "one point"],
)
def test_every_surface_can_be_drawn(change):
    before = result("surface")
    changed = having_loss(before, change(before.loss))
    for page in surface.draw([changed]).values():
        render(page)
    render(contours([before, changed]))


def test_surfaces_with_non_finite_losses_are_not_blank():
    before = result("surface")
    loss = before.loss.copy()
    loss[0], loss[-1] = np.nan, np.inf
    changed = having_loss(before, loss)
    for page in surface.draw([changed, changed]).values():
        assert all(coloured(page).values())


def test_a_surface_without_one_finite_loss_can_be_drawn():
    before = result("surface")
    empty = having_loss(before, np.full_like(before.loss, np.nan))
    for page in surface.draw([empty, before]).values():
        render(page)


def test_points_that_are_not_finite_are_grey():
    before = result("surface")
    loss = before.loss.copy()
    loss[:3] = np.nan
    page = contours([having_loss(before, loss)])
    picture = render(page)
    (panel, _) = panels(page)
    box = picture[panel]
    height, width = box.shape[:2]
    grey = np.abs(box.astype(int) - round(0.85 * 255)).max(-1) <= 2
    assert grey[int(0.7 * height) : int(0.95 * height), : width // 2].mean() > 0.9
    assert grey[: int(0.3 * height)].mean() < 0.05


def test_x_is_horizontal_and_y_is_vertical():
    square = Settings(x=Axis(-1, 1, 9), y=Axis(-1, 1, 9))
    xs, ys = np.meshgrid(square.x.coordinates, square.y.coordinates)
    for steep, axis in ((xs, 1), (ys, 0)):
        axis_values = square.x.coordinates
        plane = having_loss(result("surface"), 1 + (steep + 1) ** 2)
        page = contours([replace(plane, x=axis_values, y=axis_values, settings=square)])
        picture = render(page)
        box = picture[panels(page)[0]].astype(float)
        height, width = box.shape[:2]
        inner = box[height // 8 : -height // 8, width // 8 : -width // 8].sum(-1)
        along, across = inner.std(axis=axis).mean(), inner.std(axis=1 - axis).mean()
        assert along > 5 * across
        # Brighter is more: to the right, and to the top, which is the first row of a picture.
        ends = inner.mean(axis=1 - axis)
        assert (ends[-1] > ends[0]) == (axis == 1)
