"""Legends, titles and labels that fit on the page."""

import itertools

import pytest

from analyses.drawing.lettering import add_legend, fit_names, plain_text
from analyses.drawing.pictures import Picture
from analyses.drawing.style import figure, line_styles
from landscape.runtime.visible_text import shortened, visible
from tests.analyses.pictures import render


@pytest.mark.parametrize("columns", [None, 5])
@pytest.mark.parametrize("count", [1, 6, 12])
@pytest.mark.parametrize("name", ["network", "a network of so many words that five are too wide"])
def test_the_legend_covers_no_panel(name, count, columns):
    page = figure(8, 3.6)
    axes = page.subplots()
    handles = {}
    for number, style in enumerate(line_styles(count)):
        (handles[f"{name} {number}"],) = axes.plot([0, 1], [0, number], **style)
    add_legend(page, handles, columns)
    render(page)
    (legend,) = page.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"{name} {k}" for k in range(count)]
    panel, box = axes.get_window_extent(), legend.get_window_extent()
    assert not panel.overlaps(box)
    assert box.x0 >= 0
    assert box.x1 <= page.bbox.width


def test_the_rows_of_a_legend_are_as_full_as_each_other():
    page = figure(5, 3)
    axes = page.subplots()
    names = [f"a network of {number} words" for number in range(6)]
    add_legend(page, {name: axes.plot([0, 1])[0] for name in names}, columns=6)
    render(page)
    boxes = [text.get_window_extent() for text in page.legends[0].get_texts()]
    rows = [round(box.y0) for box in boxes]
    assert len(set(rows)) > 1
    assert len({rows.count(row) for row in rows}) == 1


@pytest.mark.parametrize(
    "name", ["short", "a name that is much too long for half of a page, and more"]
)
def test_names_of_panels_do_not_meet(name):
    page = figure(6, 5)
    panels = page.subplots(2, 2)
    for panel in panels.flat:
        image = panel.imshow([[0, 1]])
        panel.set_title(name)
        panel.set_xlabel(f"of {name}")
    bar = page.colorbar(image, ax=panels)
    bar.ax.set_title("loss")
    usual = panels[0, 0].title.get_fontsize()
    assert fit_names(page) == (name != "short")
    render(page)
    for words in ([p.title for p in panels.flat], [p.xaxis.label for p in panels.flat]):
        boxes = [text.get_window_extent() for text in words]
        assert len({text.get_fontsize() for text in words}) == 1
        assert min(box.x0 for box in boxes) >= 0
        assert max(box.x1 for box in boxes) <= bar.ax.bbox.x0
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert (panels[0, 0].title.get_fontsize() == usual) == (name == "short")


HOSTILE = (
    r"$\frac{",
    "50% _a_ $x^2$ # & {b}",
    "_hidden",
    "\x1b[31m\n\u202e\ud800\x00",
    "key." * 64,
)


def test_any_label_is_drawn_as_it_is():
    page = figure(8, 4)
    panel = page.subplots()
    curves = {label: panel.plot([0, 1])[0] for label in HOSTILE}
    panel.set_yticks(range(len(HOSTILE)), [plain_text(label) for label in HOSTILE])
    panel.set_title("\n".join(map(plain_text, HOSTILE)))
    add_legend(page, curves, columns=2)
    for extension in ("png", "svg", "pdf"):
        assert Picture(page).render(extension)
    shown = [text.get_text().replace(r"\$", "$") for text in page.legends[0].get_texts()]
    assert shown == [shortened(visible(label), 60) for label in HOSTILE]
    assert all(text.isprintable() and len(text) <= 60 for text in shown)


def test_a_label_may_be_broken_into_lines():
    assert plain_text("a network of words", 10) == "a network\nof words"
    assert plain_text("a$b$c", 4) == "a\\$b\\$\nc"
