"""The result of flatness: its file, headline and table."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analyses import flatness
from analyses.flatness.result import Flatness
from analyses.flatness.settings import Settings
from landscape.errors import InputError
from landscape.parameters.policies import Policy
from landscape.runtime.options import from_plain, to_plain
from tests.analyses.flatness.problems import SMALL, at_a_wall, measured


def test_a_round_trip_keeps_every_bit(tmp_path):
    result = measured(settings=replace(SMALL, noise=("filter", "fixed"), linf_radii=(0.0,)))
    result.save(tmp_path / "x.h5")
    back = Flatness.load(tmp_path / "x.h5")
    assert back.settings == result.settings
    assert list(back.average) == ["filter", "fixed"]
    assert list(back.worst) == ["l2", "adaptive-l2"]
    for name, array in result.arrays().items():
        np.testing.assert_array_equal(array.values, back.arrays()[name].values)
        assert np.asarray(array.values).dtype == np.asarray(back.arrays()[name].values).dtype
    assert from_plain(Settings, to_plain(SMALL)) == SMALL
    assert SMALL.filter_policy == Policy.named("all", ["bias=zero"])


def test_headline(tmp_path):
    result = measured()
    result.write_json(tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["loss"] == result.loss
    assert content["loss_stderr"] == result.loss_stderr > 0
    assert content["average"]["filter"]["mean"] == result.average["filter"].mean.tolist()
    assert content["average"]["filter"]["sigmas"] == [0.1, 0.3, 0.5]
    worst = content["worst"]["l2"]
    assert worst["rise"] == [loss - result.loss for loss in worst["loss"]]
    assert worst["one_step"] == result.worst["l2"].one_step.tolist()


def test_what_was_not_measured_is_said():
    result = measured(settings=replace(SMALL, noise=("fixed",)))
    with pytest.raises(InputError, match="filter noise was not measured, only fixed"):
        result.average_at("filter", 0.1)
    with pytest.raises(InputError, match="not measured at sigma 0.02, only at 0.01, 0.05"):
        result.average_at("fixed", 0.02)


def test_a_loss_that_is_not_finite_is_said_and_not_averaged(tmp_path):
    result = at_a_wall()
    average = result.average["fixed"]
    assert average.diverged[0] == 0
    assert average.diverged[1] > 0
    assert np.isfinite(average.mean[0])
    assert np.isnan(average.mean[1])
    assert np.isnan(average.stderr[1])
    (row,) = flatness.tabulate([result])[""]
    assert row["L^N, fixed, ± standard error"].endswith("of 6 draws not finite (σ = 0.5)")
    result.write_json(tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["average"]["fixed"]["mean"][1] is None
    assert content["average"]["fixed"]["diverged"][1] == average.diverged[1]


def test_one_draw_has_no_standard_error():
    result = measured(settings=replace(SMALL, draws=1))
    assert np.isnan(result.average["fixed"].stderr).all()
    (row,) = flatness.tabulate([result])[""]
    assert "(no error)" in row["L^N, fixed, ± standard error"]


def test_a_table_row_for_each_at_the_references():
    first, second = measured(), measured(1, replace(SMALL, noise=("filter",), radii=(0.0,)))
    rows = flatness.tabulate([first, replace(second, label="second")])[""]
    assert rows[0]["L^N, fixed, ± standard error"].endswith("(σ = 0.01)")
    assert rows[0]["L^N, filter, ± standard error"].endswith("(σ = 0.1)")
    assert rows[0]["worst, l2, at least"].endswith("(ρ = 0.2)")
    assert rows[1]["L^N, fixed, ± standard error"] == rows[1]["worst, l2, at least"]
    assert rows[1]["worst, l2, at least"] == "not measured"
