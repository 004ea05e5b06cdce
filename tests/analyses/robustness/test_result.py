"""The result of the robustness analysis: its file, its headline and its tables."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from analyses import robustness
from analyses.robustness.result import Robustness
from analyses.robustness.settings import Settings
from tests.analyses.robustness.problems import LABELS, NOTHING, QUICK, example, labelled, objective
from tests.profile import IS_FULL


def test_the_network_is_left_as_it_was():
    problem = objective()
    before = problem.weights_hash()
    robustness.compute(problem, QUICK)
    assert problem.weights_hash() == before
    assert not problem.module.training
    assert all(p.grad is None for p in problem.module.parameters())


@pytest.mark.parametrize("settings", [QUICK, NOTHING], ids=["some", "nothing"])
def test_saved_and_loaded(settings, tmp_path):
    result = robustness.compute(objective(), settings)
    result = replace(result, sets=example().sets if settings is QUICK else {})
    result.save(tmp_path / "x.h5")
    again = Robustness.load(tmp_path / "x.h5")
    assert (again.settings, again.label) == (result.settings, result.label)
    assert (again.sets, again.families) == (result.sets, result.families)
    assert again.provenance == result.provenance
    first, second = result.arrays(), again.arrays()
    for name, array in first.items():
        np.testing.assert_array_equal(second[name].values, array.values)
        assert np.asarray(second[name].values).dtype == np.asarray(array.values).dtype
    assert again.headline() == result.headline()


def test_headline(tmp_path):
    result = example()
    result.write_json(tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["accuracy"] == 100 * result.correct.mean()
    assert content["loss"] == result.loss
    assert content["corruption_accuracy"] == pytest.approx(100 * result.corrupted.mean())
    corruptions = content["corruptions"]
    assert list(corruptions["by_family"]) == ["contrast", "fog"]
    fog = result.corrupted[:, 1]
    assert corruptions["by_family"]["fog"]["accuracy"] == pytest.approx(100 * fog.mean())
    assert corruptions["each"]["fog"]["5"]["accuracy"] == pytest.approx(100 * fog[:, 4].mean())
    assert list(corruptions["by_severity"]) == ["1", "2", "3", "4", "5"]
    assert list(content["fgsm"]) == list(content["pgd"]) == ["4", "16"]
    assert content["pgd"]["16"]["accuracy"] == pytest.approx(100 * result.pgd[:, 1].mean())
    assert content["sets"]["r_x$"]["among_present"] == 60.0
    assert content["sets"]["v2"]["among_present"] is None


def test_what_every_analysis_has():
    assert robustness.ANALYSIS.title
    assert robustness.ANALYSIS.summary
    assert all(text.endswith(".") for text in robustness.ANALYSIS.reading.values())
    assert set(robustness.ANALYSIS.reading) == {"", "robustness"}
    assert Robustness.settings_type is Settings
    assert Settings() == Settings()
    made = example().provenance
    assert made.num_samples == 30
    assert made.sample_sha256 == objective().sample_hash()


def test_a_table_has_a_row_for_each_checkpoint():
    results = labelled(LABELS)
    results[1] = replace(results[1], radii=results[1].radii[:1], fgsm=results[1].fgsm[:, :1],
                         pgd=results[1].pgd[:, :1], sets={})  # fmt: skip
    tables = robustness.tabulate(results)
    assert len(tables) == 4
    for caption, rows in tables.items():
        assert [row["checkpoint"] for row in rows] == LABELS, caption
        for row in rows:
            assert row.keys() == rows[0].keys()
            assert next(iter(row)) == "checkpoint"
            assert all(isinstance(value, str) and value for value in row.values())
    assert tables[""][1]["PGD, 16/255, %, ± standard error"] == "not asked"
    assert "among its classes 60.0 ± 1.2" in str(
        tables["Accuracy on other sets, %, ± standard error"]
    )


@pytest.mark.skipif(not IS_FULL, reason="the imports of modules are checked in test_architecture")
def test_computing_needs_no_matplotlib():
    code = (
        "import sys, torch, landscape, analyses.robustness as r; "
        "m = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2)); "
        "o = landscape.Objective(m, (torch.rand(4, 3, 4, 4), torch.tensor([0, 1, 1, 0])), "
        "device='cpu'); "
        "r.compute(o, r.Settings(corruptions='fog')).headline(); "
        "assert 'matplotlib' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
