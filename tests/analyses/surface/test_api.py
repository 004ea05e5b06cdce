"""Surfaces from Python: axes as tuples, one call, figures and data frames."""

import sys

import numpy as np
import pytest

from analyses import surface
from analyses.slices.grid import Axis
from analyses.surface.settings import Settings
from landscape.errors import InputError
from tests.analyses.problems import network, objective, result, samples

SMALL = {"x": (-1, 1, 3), "y": (-0.5, 0.5, 5)}


def test_axes_can_be_tuples():
    settings = Settings(x=(-1, 1, 51), y=(-0.5, 0.5, 25))
    assert settings == Settings(x=Axis(-1.0, 1.0, 51), y=Axis(-0.5, 0.5, 25))
    assert isinstance(settings.x, Axis)
    assert str(settings.y) == "-0.5:0.5:25"


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ((-1, 1), "expected MIN:MAX:N"),
        ((-1, 1, 5, 5), "expected MIN:MAX:N"),
        ((-1, 1, 2.5), "expected MIN:MAX:N"),
        ((-1, np.inf, 5), "expected MIN:MAX:N"),
        ((-1, 1, 1), "at least 2 points"),
        ((1, -1, 5), "MIN has to be less than MAX"),
    ],
)
def test_a_tuple_that_is_no_axis_is_refused(axis, message):
    with pytest.raises(InputError, match=message):
        Settings(x=axis)


def test_of_measures_in_one_call():
    plane = surface.of(network(), samples(), batch_size=10, device="cpu", seed=4, **SMALL)
    settings = Settings(seed=4, **SMALL)
    expected = surface.compute(objective(), settings)
    assert plane.settings == settings
    assert plane.loss.shape == (5, 3)
    np.testing.assert_array_equal(plane.loss, expected.loss)


def test_plot_draws_what_draw_draws():
    plane = result("surface")
    figures = plane.plot()
    assert list(figures) == ["surface", "surface_lines", "surface_3d"]
    panel = figures["surface"].axes[0]
    assert panel.get_title() == "plain"
    assert panel.get_xlim() == (-1.0, 2.0)


def test_to_pandas_has_every_array_of_one_or_two_dimensions():
    pandas = pytest.importorskip("pandas")
    plane = result("surface")
    frames = plane.to_pandas()
    assert isinstance(frames["train_loss"], pandas.DataFrame)
    np.testing.assert_array_equal(frames["train_loss"].to_numpy(), plane.loss)
    assert (frames["train_loss"].index.name, frames["train_loss"].columns.name) == ("y", "x")
    np.testing.assert_array_equal(frames["xcoordinates"].to_numpy()[:, 0], plane.x)
    arrays = plane.arrays()
    assert set(frames) - {"scalars"} == {n for n in arrays if np.ndim(arrays[n].values) in (1, 2)}


def test_without_pandas_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        InputError, match=r"to_pandas\(\) needs pandas: pip install 'loss-.*\[frames\]"
    ):
        result("surface").to_pandas()
