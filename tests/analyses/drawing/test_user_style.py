"""A style sheet of the user's over the project's style."""

import logging

import matplotlib as mpl
import pytest
from matplotlib.colors import to_hex

from analyses.drawing.options import PageOptions
from analyses.drawing.style import (
    COLOURS,
    MAP,
    RC,
    colour,
    colour_map,
    figure,
    line_styles,
    styled,
    user_style,
)
from analyses.drawing.user_style import read_page_style, read_style_sheet
from landscape.errors import InputError


@pytest.fixture
def sheet(tmp_path):
    """Write a style sheet; returns its name."""

    def write(text):
        path = tmp_path / "my.mplstyle"
        path.write_text(text)
        return str(path)

    return write


def test_a_sheet_is_laid_over_the_project_s_style(sheet):
    name = sheet(
        "font.size: 7  # small\naxes.prop_cycle: cycler('color', ['ff0000', '00ff00'])\n"
        "image.cmap: cividis\n"
    )
    with user_style(read_page_style(PageOptions(style=name))), styled():
        assert mpl.rcParams["font.size"] == 7
        assert mpl.rcParams["savefig.dpi"] == RC["savefig.dpi"]
        assert [colour(number) for number in range(3)] == ["#ff0000", "#00ff00", "#ff0000"]
        styles = line_styles(4)
        assert [style["color"] for style in styles] == 2 * ["#ff0000", "#00ff00"]
        assert [style["linestyle"] for style in styles] == ["-", "-", "--", "--"]
        assert colour_map() == "cividis"
    with styled():
        assert mpl.rcParams["font.size"] == RC["font.size"]
    assert (colour(0), colour_map()) == (COLOURS[0], MAP)


def test_a_style_of_matplotlib_is_known_by_its_name():
    cycle = mpl.style.library["ggplot"]["axes.prop_cycle"].by_key()["color"]
    with user_style(read_page_style(PageOptions(style="ggplot"))):
        assert colour(0) == to_hex(cycle[0])


def test_what_is_no_look_is_left_out(sheet, caplog):
    """LaTeX and other programs are not run because a file says so."""
    name = sheet(
        "text.usetex: True\ntext.latex.preamble: \\input{/etc/passwd}\nbackend: tkagg\n"
        "pgf.preamble: \\relax\nlines.linewidth: 3\nfont.size: 6\n"
    )
    with caplog.at_level(logging.INFO, "analyses.drawing.user_style"):
        assert read_style_sheet(name) == {"lines.linewidth": 3.0, "font.size": 6.0}
    assert "my.mplstyle sets text.usetex, which is left out" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lines.linewidht: 3\n", "line 1: 'lines.linewidht' is no setting of matplotlib"),
        ("lines.linewidht: 3\n", "did you mean lines.linewidth?"),
        ("font.size: 8\nfont.size small\n", "line 2: 'font.size small' is no setting"),
        ("font.size: small\n", "my.mplstyle can't be used: "),
        ("\x00", "is no setting"),
    ],
)
def test_a_sheet_that_says_nothing_is_refused(sheet, text, said):
    with pytest.raises(InputError) as refused:
        read_style_sheet(sheet(text))
    assert said in str(refused.value)


def test_a_sheet_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no such style: ggplt; .* did you mean ggplot\?"):
        read_style_sheet("ggplt")
    with pytest.raises(InputError, match="is a folder"):
        read_style_sheet(str(tmp_path))


def test_a_width_holds_whatever_the_sheet_says_of_the_bounding_box(sheet):
    name = sheet("savefig.bbox: tight\n")
    with user_style(read_page_style(PageOptions(style=name))), styled():
        assert mpl.rcParams["savefig.bbox"] == "tight"
    with user_style(read_page_style(PageOptions(style=name, width=3.25))), styled():
        assert mpl.rcParams["savefig.bbox"] is None
        assert figure(8, 4).get_figwidth() == 3.25
