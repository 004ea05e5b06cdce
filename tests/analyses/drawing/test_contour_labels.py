import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from analyses.drawing.contour_labels import drop_overlapping_labels, label_contours
from analyses.drawing.pictures import Picture

LEVELS = [1.0, 1.3, 1.6, 1.9, 2.2, 4.0, 6.0]


def page_with(width):
    """A figure of so many inches with the labelled contours of a minimum, narrow in the middle."""
    page = Figure(figsize=(width, width), layout="constrained")
    panel = page.add_subplot()
    axis = np.linspace(-1, 1, 41)
    values = 8 * np.hypot(*np.meshgrid(axis, axis))
    lines = panel.contour(axis, axis, values, levels=LEVELS)
    whole = [path.vertices.copy() for path in lines.get_paths()]
    label_contours(lines)
    return page, lines, whole


def overlaps(lines):
    boxes = [label.get_window_extent() for label in lines.labelTexts]
    return sum(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_no_label_lies_on_another():
    page, lines, whole = page_with(1.5)
    page.draw_without_rendering()
    assert overlaps(lines) > 0
    drop_overlapping_labels(page)
    page.draw_without_rendering()
    assert overlaps(lines) == 0
    names = {label.get_text() for label in lines.labelTexts}
    assert "6" in names
    assert len(names) < len(LEVELS)
    assert set(lines.axes.texts) == set(lines.labelTexts)
    for level, path, before in zip(LEVELS, lines.get_paths(), whole, strict=True):
        is_whole = path.vertices.shape == before.shape and np.array_equal(path.vertices, before)
        assert is_whole == (f"{level:g}" not in names)


def test_where_there_is_room_all_labels_stay():
    page, lines, _ = page_with(12)
    page.draw_without_rendering()
    before = list(lines.labelTexts)
    drop_overlapping_labels(page)
    assert lines.labelTexts == before
    assert len(before) == len(LEVELS)


@pytest.mark.parametrize("extension", ["png", "pdf"])
def test_pictures_have_them_dropped(extension):
    page, lines, _ = page_with(1.5)
    Picture(page).render(extension)
    assert overlaps(lines) == 0
    assert lines.labelTexts
