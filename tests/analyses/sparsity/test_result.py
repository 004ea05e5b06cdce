"""The result of the sparsity analysis: its file, headline and table, and earlier versions."""

import json

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from analyses import runner, sparsity
from analyses.run_context import RunContext
from analyses.sparsity.result import Sparsity, series
from landscape.objective.objective import Objective
from tests.analyses.problems import network, result, samples
from tests.analyses.sparsity.problems import case_objective, measure, planted
from tests.hdf5_files import unsealed


def test_headline(tmp_path):
    measured = measure(network(), *samples())
    measured.write_json(tmp_path / "sparsity.json")
    content = json.loads((tmp_path / "sparsity.json").read_text())
    assert content["layers"] == {"1": measured.active[0], "3": measured.active[1]}
    assert content["stderr"] == {"1": measured.stderr[0], "3": measured.stderr[1]}
    assert content["mean"] == pytest.approx(measured.active.mean(), rel=1e-14)
    assert 0 < content["mean"] < 1


def test_more_than_ten_layers_stay_in_order(tmp_path):
    layers = [layer for _ in range(12) for layer in (nn.Linear(4, 4), nn.ReLU())]
    measured = measure(nn.Sequential(*layers), *samples())
    measured.save(tmp_path / "x.h5")
    assert measured.layers == tuple(str(k) for k in range(1, 24, 2))
    assert Sparsity.load(tmp_path / "x.h5").layers == measured.layers


def test_the_two_mlps_of_a_mixer_are_two_series():
    measured = sparsity.compute(case_objective("mixer"))
    assert series(measured) == {"mlp_tokens": [0, 2], "mlp_channels": [1, 3]}
    assert series(sparsity.compute(case_objective("vit"))) == {"mlp": [0]}
    assert series(result("sparsity")) == {"activation": [0, 1]}


def test_a_table_row_for_each():
    example = result("sparsity")
    (row,) = sparsity.tabulate([example])[""]
    assert row["checkpoint"] == "plain"
    assert row["layers"] == "2"
    mean = f"{100 * example.active.mean():.1f} ± "
    assert row["mean active, %, ± standard error"].startswith(mean)
    assert row["last MLP (Mixer: channel mixing), %, ± standard error"].startswith(
        f"{100 * example.active[1]:.1f} ± "
    )


def test_a_file_of_an_earlier_version_answers_another_question(tmp_path):
    model, data = planted()
    objective = Objective(model, data, device="cpu", origin={"label": "a"})
    measured = sparsity.compute(objective)
    measured.save(tmp_path / "sparsity.h5")
    with h5py.File(unsealed(tmp_path / "sparsity.h5"), "a") as file:
        for name in ("above", "neurons", "dead", "histogram", "rank", "components"):
            del file[name]
        file.attrs["settings"] = "{}"
    old = Sparsity.load(tmp_path / "sparsity.h5")
    assert old.settings.thresholds == ()
    assert np.isnan(old.dead).all()
    assert list(sparsity.draw([old])) == ["sparsity"]
    assert sparsity.tabulate([old])[""][0]["dead, % of all neurons"] == "–"
    again = runner.measure(sparsity.ANALYSIS, objective, sparsity.Settings(), RunContext(tmp_path))
    assert again.dead.tolist() == measured.dead.tolist()
    assert len(list(tmp_path.glob("sparsity*.h5"))) == 2  # the old one is kept


def test_the_error_of_the_mean_over_layers_is_of_their_common_samples():
    """The layers of a sample are active together; their errors don't average out."""

    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.ReLU(), nn.ReLU()

        def forward(self, x):
            return self.one(x) + self.other(x)

    torch.manual_seed(0)
    inputs = torch.randn(40, 6) + torch.randn(40, 1)
    measured = measure(nn.Sequential(nn.Linear(6, 6), Twins()), inputs)
    assert measured.active[0] == measured.active[1]
    assert measured.mean_stderr == pytest.approx(measured.stderr[0], rel=1e-12)


def test_a_layer_that_is_never_active_has_an_interval():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    nn.init.constant_(model[0].weight, 0.0)
    nn.init.constant_(model[0].bias, -1.0)
    measured = measure(model, torch.randn(20, 3))
    assert (measured.active[0], measured.stderr[0]) == (0.0, 1 / 20)
    (row,) = sparsity.tabulate([measured])[""]
    assert row["first MLP (Mixer: channel mixing), %, ± standard error"] == "0.00 (95 %: 0 to 18)"
