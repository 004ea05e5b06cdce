"""Pictures at the width of a column: fewer columns of panels, and texts as large as ever."""

import io

import matplotlib as mpl
import pytest
from matplotlib.cm import ScalarMappable
from matplotlib.text import Text
from PIL import Image

from analyses.drawing.lettering import SMALLEST_TEXT, add_legend
from analyses.drawing.options import NARROWEST, WIDEST, PageOptions, length
from analyses.drawing.page_width import panels_of
from analyses.drawing.pictures import Picture
from analyses.drawing.style import UserStyle, figure, styled, user_style
from landscape.errors import InputError


@pytest.fixture
def column():
    with user_style(UserStyle(width=3.25)), styled():
        yield


def rows_and_columns(page):
    """How many places the panels have from top to bottom, and from left to right."""
    boxes = [axes.get_position() for axes in panels_of(page)]
    return tuple(len({round(box.min[k], 2) for box in boxes}) for k in (1, 0))


def four_panels(**keywords):
    page = figure(10.0, 2.4)
    for number, axes in enumerate(page.subplots(1, 4, **keywords)):
        curve = axes.plot([0, 1], [0, number])
        axes.set_title(f"title {number}")
        if number == 0:
            axes.set_ylabel("loss")
    add_legend(page, {"a network": curve[0]})
    return page


def test_lengths_are_in_inches():
    assert length("3.25in") == 3.25
    assert length("25.4mm") == pytest.approx(1)
    assert length("2.54cm") == pytest.approx(1)
    assert length("72.27pt") == pytest.approx(1)
    for text in ("3.25", "in", "3 25in", "-3in", "nanin", "3px", "1e9in"):
        with pytest.raises(InputError, match="expected a width such as 3.25in"):
            length(text)


@pytest.mark.parametrize("width", [NARROWEST / 2, 2 * WIDEST])
def test_no_page_is_of_any_width(width):
    with pytest.raises(InputError, match=r"--width has to be from 1.5in to 60in"):
        PageOptions(width=width)


@pytest.mark.usefixtures("column")
def test_the_file_is_as_wide_as_asked_for():
    page = four_panels()
    with Image.open(io.BytesIO(Picture(page).render("png"))) as image:
        assert image.width == round(3.25 * mpl.rcParams["savefig.dpi"])


@pytest.mark.usefixtures("column")
def test_panels_are_stacked_and_texts_stay_readable():
    page = four_panels(sharey=True)
    before = {
        text.get_text(): text.get_fontsize() for text in page.findobj(Text) if text.get_text()
    }
    Picture(page).render("png")
    assert rows_and_columns(page) == (4, 1)
    assert page.get_figheight() > 4 * 0.75 * 2.4 - 0.1
    for text in page.findobj(Text):
        if text.get_text() in before:
            assert text.get_fontsize() == before[text.get_text()] > SMALLEST_TEXT
    # What the first panel said for all of them, each says now.
    assert [axes.get_ylabel() for axes in panels_of(page)] == 4 * ["loss"]
    assert all(axes.yaxis.get_tick_params()["labelleft"] for axes in panels_of(page))


@pytest.mark.parametrize(("width", "expected"), [(4.0, (2, 2)), (6.75, (2, 3)), (10.0, (1, 4))])
def test_there_are_as_many_columns_as_the_width_holds(width, expected):
    with user_style(UserStyle(width=width)), styled():
        page = four_panels()
        Picture(page).render("png")
        assert rows_and_columns(page) == expected


def test_without_a_width_nothing_is_rearranged():
    with styled():
        page = four_panels()
        Picture(page).render("png")
        assert page.get_figwidth() == 10.0
        assert rows_and_columns(page) == (1, 4)


@pytest.mark.usefixtures("column")
def test_a_table_of_panels_keeps_the_titles_of_its_columns():
    page = figure(8.0, 5.0)
    for row, panels in enumerate(page.subplots(2, 2, sharey="row")):
        for column, axes in enumerate(panels):
            axes.plot([0, 1], [row, column])
            axes.set_title(f"column {column}" if row == 0 else "")
            axes.set_ylabel(f"row {row}" if column == 0 else "")
    Picture(page).render("png")
    assert rows_and_columns(page) == (4, 1)
    shown = [(axes.get_ylabel(), axes.get_title()) for axes in panels_of(page)]
    assert shown == [(f"row {row}", f"column {column}") for row in (0, 1) for column in (0, 1)]


@pytest.mark.usefixtures("column")
def test_pictures_without_ticks_stay_beside_each_other():
    page = figure(8.0, 2.0)
    for axes in page.subplots(1, 4):
        axes.imshow([[0, 1], [1, 0]])
        axes.set(xticks=[], yticks=[])
    Picture(page).render("png")
    assert rows_and_columns(page) == (1, 4)


@pytest.mark.usefixtures("column")
def test_everything_is_on_the_page_beside_a_colour_bar():
    page = figure(6.0, 5.0)
    panels = page.subplots(2, 2, sharex=True, sharey=True)
    for axes in panels.flat:
        axes.plot([0, 1], [0, 1])
        axes.set_aspect("equal")
    panels[0, 0].set_ylabel("y direction")
    page.colorbar(ScalarMappable(), ax=panels, aspect=30).set_label("loss")
    Picture(page).render("png")
    for axes in page.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= -1
        assert box.x1 <= page.bbox.width + 1
        assert box.y0 >= -1
        assert box.y1 <= page.bbox.height + 1


@pytest.mark.usefixtures("column")
def test_halves_of_a_page_grow_alone():
    """One panel above, four below: the upper one is as high as it was."""
    page = figure(8.0, 4.0)
    upper, lower = page.subfigures(2, 1, height_ratios=(1, 1))
    upper.subplots().plot([0, 1], [0, 1])
    for axes in lower.subplots(1, 4):
        axes.plot([0, 1], [0, 1])
    Picture(page).render("png")
    assert page.get_figheight() > 2 * 0.75 + 4 * 2 * 0.75 - 0.1
    first, *others = panels_of(page)
    heights = [axes.get_window_extent().height for axes in (first, *others)]
    assert max(heights) < 1.5 * min(heights)
