"""The result of the recursion: its file, headline and tables, and which layers are a series."""

import json

import numpy as np

from analyses import recursion
from analyses.recursion.result import Recursion, series
from analyses.recursion.settings import Settings
from tests.analyses.problems import network, objective, samples
from tests.analyses.recursion.problems import case_result, measure


def test_it_comes_back_from_its_file(tmp_path):
    result = recursion.compute(objective(), Settings(3, seed=2))
    result.save(tmp_path / "x.h5")
    back = Recursion.load(tmp_path / "x.h5")
    assert (back.settings, back.provenance) == (result.settings, result.provenance)
    assert (back.layers, back.roles) == (result.layers, result.roles)
    for name, array in result.arrays().items():
        np.testing.assert_array_equal(array.values, back.arrays()[name].values)


def test_headline(tmp_path):
    result = recursion.compute(objective(), Settings(3))
    result.write_json(tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["samples"] == 3
    layer = content["layers"]["2"]
    assert layer["role"] == "between"
    assert layer["preactivation_lambda"] == np.abs(result.eigenvalues[1]).mean()
    assert layer["bound_stderr"] == result.bounds[1, 1]
    assert layer["block_lambda"] == result.blocks[1]
    assert layer["block_stderr"] == result.block_stderr[1]
    assert layer["preactivation_residual"] == result.residuals[1].max()
    assert content["layers"]["4"]["active"] is None


def test_one_sample_has_no_standard_error():
    result = measure(network(), samples(1))
    assert result.eigenvalues.shape == (3, 1)
    assert np.isnan(result.inputs[:, 1]).all()
    assert np.isnan(result.magnitudes[:, 1]).all()
    row = recursion.tabulate([result])["First MLP layer"][0]
    assert "no error" in row["‖a‖² ± standard error"]


def test_series():
    mixer = case_result("mixer")
    kinds = ("mlp_tokens", "mlp_channels")
    assert series(mixer) == {
        ("mlp_tokens", "first"): [(0, 1), (4, 2)],
        ("mlp_tokens", "second"): [(1, 1), (5, 2)],
        ("mlp_channels", "first"): [(2, 1), (6, 2)],
        ("mlp_channels", "second"): [(3, 1), (7, 2)],
        ("mlp_channels", "head"): [(8, 3)],
    }
    assert {mixer.layers[n] for n in mixer.ends} == {
        f"blocks.{k}.{kind}.fc1" for k, kind in enumerate(kinds)
    }
    plain = recursion.compute(objective())
    assert series(plain) == {("", "between"): [(0, 1), (1, 2), (2, 3)]}
    assert plain.ends == (0, 1)
    resnet = case_result("resnet with batch norm")
    assert series(resnet) == {("", "head"): [(0, 1)]}
    assert resnet.ends == (0, 0)
    row = recursion.tabulate([resnet])["First MLP layer"][0]
    assert row["|f'| > 0.1, % ± standard error"] == "no activation"
