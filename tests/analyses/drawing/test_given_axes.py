"""The main picture of a result in axes of the user's own."""

import pytest
from matplotlib.figure import Figure

from analyses.drawing.given_axes import draw_into
from analyses.drawing.page_width import panels_of
from landscape.errors import InputError
from tests.analyses.problems import result


def panels_and_bars(page):
    return len(panels_of(page)), len(page.axes) - len(panels_of(page))


def test_a_surface_is_drawn_into_axes_beside_others():
    page = Figure()
    left, right = page.subplots(1, 2)
    left.plot([0, 1], [0, 1])
    surface = result("surface")
    assert surface.plot(ax=right) == {"surface": page}
    assert panels_and_bars(page) == (2, 1)
    assert right.get_title() == surface.plot()["surface"].axes[0].get_title() == "plain"
    assert right.get_xlabel() == "x direction (layer norms)"
    assert len(left.lines) == 1
    assert not page.legends


def test_a_legend_stays_within_the_axes():
    page = Figure()
    axes = page.subplots()
    result("minibatch").plot(ax=axes)
    assert axes.get_legend() is not None
    assert not page.legends


def test_axes_of_a_part_of_a_figure_will_do():
    page = Figure()
    axes = page.subfigures(1, 2)[1].subplots()
    assert result("surface").plot(ax=axes) == {"surface": page}


@pytest.mark.parametrize("name", ["line", "norms", "linearity"])
def test_several_panels_do_not_fit(name):
    axes = Figure().subplots()
    with pytest.raises(InputError, match=rf"the picture {name} of this {name} has \d panels"):
        result(name).plot(ax=axes)
    assert not axes.has_data()


@pytest.mark.parametrize("given", ["axes", Figure(), Figure().add_subplot(projection="3d")])
def test_what_is_no_axes_is_refused(given):
    with pytest.raises(InputError, match="ax has to be matplotlib axes of two dimensions"):
        draw_into(lambda _: {}, result("surface"), given)
