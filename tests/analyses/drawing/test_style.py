"""The style of figures."""

import matplotlib as mpl
import pytest

from analyses.drawing.style import figure, grid_shape, line_styles, styled


@pytest.mark.parametrize("count", range(1, 30))
def test_grid_shape(count):
    rows, columns = grid_shape(count)
    assert (rows - 1) * columns < count <= rows * columns  # no row is empty
    assert columns <= 4
    if count % 2 == 0:
        assert columns % 2 == 0  # neighbours stay side by side


def test_curves_are_told_apart():
    styles = line_styles(28)
    assert len({(style["color"], style["linestyle"]) for style in styles}) == 28
    assert len({style["color"] for style in styles[:7]}) == 7
    assert len(line_styles(40)) == 40


def test_the_style_is_put_back():
    before = dict(mpl.rcParams)
    with styled():
        assert mpl.rcParams["savefig.dpi"] == 200
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("backend", [mpl.get_backend()])
def test_figures_are_not_kept_by_pyplot(backend):
    import matplotlib.pyplot as plt

    figure(2, 2)
    assert plt.get_fignums() == []
    assert mpl.get_backend() == backend
