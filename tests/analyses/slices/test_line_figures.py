"""The bands about curves along lines."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from analyses import line
from analyses.drawing.options import PlotOptions
from tests.analyses.problems import having_loss, result


def bands(shown, options=None):
    """The lower and the upper ends of each band of the losses, two arrays by x."""
    ends = []
    for band in line.draw([shown], options)["line"].axes[0].collections:
        points = band.get_paths()[0].vertices
        at = [points[np.isclose(points[:, 0], x)][:, 1] for x in shown.x]
        ends.append((np.array([y.min() for y in at]), np.array([y.max() for y in at])))
    return ends


@pytest.mark.parametrize("change", [lambda loss: -loss, lambda loss: loss - np.median(loss)])
def test_a_band_is_as_far_below_a_loss_as_above_it(change):
    before = result("line")
    shown = having_loss(before, change(before.loss))
    error = shown.values["train_loss_stderr"]
    half = student.ppf(0.975, before.provenance.num_samples - 1) * error
    ((low, high),) = bands(shown)
    np.testing.assert_allclose(low, shown.loss - half, rtol=1e-6)
    np.testing.assert_allclose(high, shown.loss + half, rtol=1e-6)


def test_a_band_on_a_logarithmic_axis_stays_above_0():
    before = result("line")
    wide = {**before.values, "train_loss_stderr": 10 * before.loss}
    ((low, _),) = bands(replace(before, values=wide), PlotOptions(scale="log"))
    np.testing.assert_allclose(low, 1e-3 * before.loss)
