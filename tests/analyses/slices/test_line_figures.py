"""The bands about curves along lines."""

from dataclasses import replace

import numpy as np
import pytest
import torch.nn.functional as F
from scipy.stats import t as student

from analyses import line, surface
from analyses.drawing.options import PlotOptions
from analyses.line.result import Line
from tests.analyses.problems import having_loss, network, result, samples


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


def half_widths(shown):
    """Half of each band's width in standard errors of its split."""
    return [
        float(np.median((high - low) / 2 / shown.values[f"{split}_loss_stderr"]))
        for split, (low, high) in zip(shown.splits, bands(shown), strict=True)
    ]


def test_a_band_has_the_degrees_of_freedom_of_its_own_error(tmp_path):
    def step(model, batch):
        return F.cross_entropy(model(batch[0]), batch[1])

    inputs, targets = samples(24)
    over_batches = [(inputs[k : k + 8], targets[k : k + 8]) for k in range(0, 24, 8)]
    few = {"test": (inputs[:5], targets[:5])}
    t = {dof: pytest.approx(student.ppf(0.975, dof), rel=1e-6) for dof in (2, 4, 23)}
    assert half_widths(line.of(network(), over_batches, step=step, x=(-1, 1, 3))) == [t[2]]
    shown = line.of(network(), (inputs, targets), x=(-1, 1, 3), extra_splits=few)
    assert half_widths(shown) == [t[23], t[4]]
    path = tmp_path / "line.h5"
    shown.save(path)
    assert half_widths(Line.load(path)) == [t[23], t[4]]
    replace(shown, dof={}).save(path)  # as files of earlier versions
    assert half_widths(Line.load(path)) == [t[23], pytest.approx(student.ppf(0.975, 23), rel=1e-6)]


def test_axes_without_accuracies_say_so():
    before = result("line")
    shown = having_loss(before, before.loss, acc=np.full_like(before.loss, np.nan))
    _, empty = line.draw([shown])["line"].axes
    assert [text.get_text() for text in empty.texts] == ["no accuracy is defined for this task"]
    assert len(empty.get_xticks()) == len(empty.get_yticks()) == 0
    assert not line.draw([before, shown])["line"].axes[1].texts


@pytest.mark.parametrize("module", [line, surface])
def test_a_scale_that_can_not_be_logarithmic_is_said_once(module, caplog):
    before = result(module.ANALYSIS.name)
    module.draw([before], PlotOptions(scale="log"))
    assert not caplog.records
    module.draw([having_loss(before, before.loss - 10)], PlotOptions())
    assert not caplog.records
    module.draw([having_loss(before, before.loss - 10)], PlotOptions(scale="log"))
    (record,) = caplog.records
    assert f"go down to {(before.loss - 10).min():.4g}: the scale is linear" in record.getMessage()
