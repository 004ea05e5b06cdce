"""``--format csv``: the headline numbers of each result as a table beside its JSON."""

import csv
import json

import pytest

from tests.analyses.command.words import SMALL
from tests.commands import content


def rows_in(path):
    with path.open(newline="", encoding="utf-8") as lines:
        return {row["quantity"]: row for row in csv.DictReader(lines)}


def test_it_lies_beside_every_json(done, runs, tmp_path):
    words = ("--format", "csv", "--quiet", "--output-dir", tmp_path)
    out, _ = done("sparsity", *runs, *SMALL["sparsity"], *words)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*") if path.is_file()}
    files -= {name for name in files if name.endswith(".lock")}
    beside = {f"{run.name}/sparsity.{kind}" for run in runs for kind in ("h5", "json", "csv")}
    assert files == {*beside, "sparsity.json", "sparsity.csv"}
    assert all(str(tmp_path / file) in out for file in files)
    for run in runs:
        stored = json.loads((tmp_path / run.name / "sparsity.json").read_text())
        rows = rows_in(tmp_path / run.name / "sparsity.csv")
        assert float(rows["mean"]["value"]) == stored["mean"]
        assert float(rows["mean"]["error"]) == stored["mean_stderr"]
        assert rows["mean"]["unit"] == "fraction"
        assert {row["run"] for row in rows.values()} == {run.name}
        assert "mean_stderr" not in rows
        for layer, value in stored["layers"].items():
            assert float(rows[f"layers.{layer}"]["value"]) == value
            assert float(rows[f"layers.{layer}"]["error"]) == stored["stderr"][layer]


def test_of_a_run_and_of_what_is_already_measured(done, runs, tmp_path):
    words = ("--quiet", "--output-dir", tmp_path)
    done("curves", runs[0], "--format", "csv", *words)
    rows = rows_in(tmp_path / runs[0].name / "curves.csv")
    stored = json.loads((tmp_path / runs[0].name / "curves.json").read_text())
    assert float(rows["train_loss[0]"]["value"]) == stored["train_loss"][0]
    done("norms", runs[0], *SMALL["norms"], "--format", "none", *words)
    assert not (tmp_path / runs[0].name / "norms.csv").exists()
    done("norms", runs[0], *SMALL["norms"], "--format", "csv", *words)
    assert (tmp_path / runs[0].name / "norms.csv").exists()


@pytest.mark.parametrize("is_header_older", [False, True])
def test_a_users_own_table_is_not_overwritten(plot, runs, tmp_path, is_header_older):
    path = tmp_path / runs[0].name / "norms.csv"
    path.parent.mkdir()
    path.write_text(
        "analysis,network,run,seed,quantity,value,error\n" if is_header_older else "mine\n"
    )
    before = content(tmp_path)
    words = (*SMALL["norms"], "--format", "csv", "--quiet", "--output-dir", tmp_path)
    status, _, err = plot("norms", runs[0], *words)
    if is_header_older:  # it is one of ours
        assert status == 0
        assert "unit" in path.read_text().splitlines()[0]
    else:
        assert status == 2
        assert "was not written by landscape-plot" in err
        assert content(tmp_path) == before
