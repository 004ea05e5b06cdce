"""Files, numbers, tables and pictures of trajectories."""

from dataclasses import replace

import numpy as np
import pytest

from analyses import trajectory
from analyses.drawing.style import styled
from analyses.trajectory.result import Trajectory
from tests.analyses.pictures import coloured, render
from tests.analyses.trajectory.walks import EPOCHS
from tests.analyses.written import arrays


def test_it_comes_back_from_its_file(measured, tmp_path):
    _, _, result = measured
    result.save(tmp_path / "trajectory.h5")
    back = Trajectory.load(tmp_path / "trajectory.h5")
    assert back.settings == result.settings
    assert back.path.keys() == result.path.keys()
    for name, values in result.path.items():
        np.testing.assert_array_equal(back.path[name], values)
    stored = arrays(tmp_path / "trajectory.h5")
    # The names of the original tool's projections.
    np.testing.assert_array_equal(stored["proj_xcoord"], result.path["x"])
    np.testing.assert_array_equal(stored["proj_ycoord"], result.path["y"])


def test_headline_and_row(measured):
    _, _, result = measured
    said = result.headline()
    assert said["loss"] == result.loss_at_origin
    assert said["largest_distance"] == result.path["distance"].max()
    np.testing.assert_array_equal(said["path_loss"], result.path["loss"])
    (row,) = trajectory.tabulate([result])[""]
    assert row["checkpoint"] == "walk"
    assert row["epochs"] == str(EPOCHS)
    first, second = (100 * share for share in result.path["explained"][:2])
    assert row["variance explained by x and y, %"] == f"{first:.1f} and {second:.1f}"


@pytest.mark.parametrize("count", [1, 3])
def test_pictures_are_not_blank(measured, count):
    _, _, result = measured
    with styled():
        page = trajectory.draw([result] * count)["trajectory"]
        assert min(coloured(page).values()) > 50
    (line, _) = page.axes[0].get_lines()
    np.testing.assert_array_equal(line.get_xdata(), result.path["x"])
    np.testing.assert_array_equal(line.get_ydata(), result.path["y"])
    shares = result.path["explained"]
    assert f"{100 * shares[0]:.1f}% of the variance" in page.axes[0].get_xlabel()


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_every_trajectory_can_be_drawn(measured, value):
    _, _, result = measured
    loss = result.loss.copy()
    loss[:3] = value
    path = {**result.path, "loss": np.where(result.path["epoch"] < 3, value, result.path["loss"])}
    changed = replace(result, values={**result.values, "train_loss": loss}, path=path)
    render(trajectory.draw([changed, result])["trajectory"])
    trajectory.tabulate([changed])
