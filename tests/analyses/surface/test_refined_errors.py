"""What the errors of refined surfaces are of, and in which unit."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from analyses import surface
from analyses.formats.export import _refinement
from analyses.slices.bounds import bounds_of
from analyses.surface.result import Surface
from analyses.surface.tables import REFINED
from landscape.objective.losses import confidence
from tests.analyses.pictures import texts
from tests.analyses.problems import network, samples

GRID = {"x": (-2, 2, 25), "y": (-2, 2, 25)}


def shifted(outputs, targets):
    """A loss that is below 0 in the middle of the plane and above it outside."""
    return F.cross_entropy(outputs, targets) - 1.2


@cache
def measured(loss=F.cross_entropy, **settings):
    data = samples(200)
    return surface.of(network(), data, loss=loss, dtype=torch.float64, **GRID, **settings)


@pytest.mark.parametrize("loss", [F.cross_entropy, shifted])
def test_claims_are_true_in_the_unit_that_the_file_says(loss):
    """Within a factor of 3 of the truth, root mean square: the other reading is further off."""
    refined, whole = measured(loss, refine=True), measured(loss)
    arrays, hidden = refined.arrays(), ~refined.measured
    for name in ("train_loss", "train_loss_stderr"):
        error = np.abs(refined.values[name] - whole.values[name])[hidden]
        claim = refined.errors[name][hidden]
        unit = arrays[f"error/{name}"].unit
        assert unit == ("relative" if name in refined.relative_errors else arrays[name].unit)
        if unit == "relative":
            error = error / np.abs(whole.values[name])[hidden]
        ratio = np.sqrt((error**2).mean() / (claim**2).mean())
        assert 1 / 3 < ratio < 3, (name, unit, ratio)
    assert ("train_loss" in refined.relative_errors) == (loss is F.cross_entropy)
    assert "train_acc" not in refined.relative_errors


@pytest.mark.parametrize("loss", [F.cross_entropy, shifted])
def test_files_keep_which_errors_are_relative(loss, tmp_path):
    refined = measured(loss, refine=True)
    refined.save(tmp_path / "surface.h5")
    assert Surface.load(tmp_path / "surface.h5").relative_errors == refined.relative_errors
    replace(refined, relative_errors=None).save(tmp_path / "old.h5")  # of earlier versions
    old = Surface.load(tmp_path / "old.h5")
    assert "relative_errors" not in old.arrays()
    named = tuple(name for name in old.errors if old.has_relative_error(name))
    assert named == refined.relative_errors


def test_tables_and_pictures_say_the_unit():
    per_cent, nats = (
        replace(measured(loss, refine=True), label=name)
        for loss, name in ((F.cross_entropy, "a"), (shifted, "b"))
    )
    nats = replace(nats, provenance=per_cent.provenance)  # of a loss of one's own none is known
    rows = surface.tabulate([per_cent, nats])[REFINED]
    assert rows[0]["the largest of them"].endswith(" %")
    assert rows[1]["the largest of them"].endswith(" nats")
    largest = nats.errors["train_loss"].max()
    assert float(rows[1]["the largest of them"].split()[0]) == pytest.approx(largest, rel=0.01)
    assert nats.headline_units()["largest_interpolation_error"] == "nats"
    assert "standard error of the refined loss (%)" in texts(
        surface.draw([per_cent])["surface_error"]
    )
    together = surface.draw([per_cent, nats])["surface_error"]
    assert "standard error of the refined loss (nats)" in texts(together)
    maps = [panel.collections[0].get_array() for panel in together.axes[:2]]
    expected = per_cent.errors["train_loss"] * per_cent.loss
    np.testing.assert_allclose(maps[0].filled(0.0), expected)
    np.testing.assert_allclose(maps[1].filled(0.0), nats.errors["train_loss"])


def test_pages_show_errors_relative_to_each_loss():
    refined = measured(shifted, refine=True)
    hidden = ~refined.measured
    shown = _refinement(refined)
    expected = refined.errors["train_loss"] / np.abs(refined.loss)
    np.testing.assert_allclose(shown[hidden], expected[hidden])
    assert np.isnan(shown[refined.measured]).all()


def test_interpolated_values_stay_within_the_range_of_their_quantity():
    """The network is sure and right about every sample, and still so in a plateau around it."""
    model, (inputs, _) = network(), samples(800)
    with torch.no_grad():
        model[-1].weight *= 20
        model[-1].bias *= 20
        outputs = model(inputs).sort(1)
    sure = (outputs.values[:, -1] - outputs.values[:, -2]).argsort()[-50:]
    data = inputs[sure], outputs.indices[sure, -1]
    coarse = {"refine": True, "tolerance": 0.9}
    refined = surface.of(model, data, **GRID, **coarse, metrics={"confidence": confidence})
    for name, most in {"acc": 100, "confidence": 1}.items():
        values = refined.values[f"train_{name}"]
        assert values.max() == most  # where it would be more
        assert (values[~refined.measured] == most).any()
        assert values.min() >= 0


def test_ranges_are_those_of_known_quantities_of_a_split():
    names = ["train_acc", "test_confidence", "train_loss_stderr", "train_loss", "train_my_acc"]
    bounds = [bounds_of(name, ["train", "test"]) for name in names]
    anything = (-np.inf, np.inf)
    assert bounds == [(0, 100), (0, 1), (0, np.inf), anything, anything]
