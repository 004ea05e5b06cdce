"""Training curves: what metrics.csv holds, without data or weights."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest

from analyses.curves.figures import draw, drawn_epochs
from analyses.curves.result import Curves
from analyses.curves.settings import Settings
from analyses.curves.tables import tabulate
from landscape.results.provenance import UNKNOWN
from tests.analyses.written import arrays, headline


def rows_of(run):
    with (run / "metrics.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_curves_are_the_metrics_of_each_run(done, runs, tmp_path):
    done("curves", *runs, "--output-dir", tmp_path)
    for run in runs:
        rows = rows_of(run)
        stored = arrays(tmp_path / run.name / "curves.h5")
        for name in rows[0]:
            np.testing.assert_allclose(stored[name], [float(row[name]) for row in rows])
        numbers = headline(tmp_path, run.name, "curves")
        assert numbers["val_accuracy"] == pytest.approx(
            [float(row["val_accuracy"]) for row in rows]
        )
    for picture in ("curves.png", "curves-loss.png"):
        assert (tmp_path / picture).stat().st_size > 5000
    page = (tmp_path / "curves.html").read_text()
    assert "validation accuracy, %" in page


def test_a_run_whose_data_and_weights_are_gone_is_drawn(done, runs, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("config.json", "metrics.csv"):
        shutil.copy(runs[0] / name, alone / name)
    done("curves", alone, "--output-dir", tmp_path / "out", "--format", "png")
    assert (tmp_path / "out" / "curves.png").exists()
    # A result is drawn again without the run.
    result = tmp_path / "out" / "alone" / "curves.h5"
    done("curves", f"again={result}", "--output-dir", tmp_path / "again", "--format", "png")
    assert (tmp_path / "again" / "curves.png").exists()


def test_every_nth_epoch_and_the_last_are_drawn():
    assert drawn_epochs(10, 4) == [0, 4, 8, 9]
    assert drawn_epochs(9, 4) == [0, 4, 8]
    assert drawn_epochs(1, 1) == [0]


def test_what_is_no_run(refused, tmp_path):
    assert "is not a run of landscape-train" in refused("curves", tmp_path, "--format", "png")


def test_a_run_without_a_finished_epoch(refused, runs, tmp_path):
    (tmp_path / "config.json").write_bytes((runs[0] / "config.json").read_bytes())
    assert "has no finished epoch" in refused("curves", tmp_path, "--output-dir", tmp_path / "out")


@pytest.mark.parametrize(
    ("training", "name"),
    [
        ({"loss": "softmax"}, "softmax cross-entropy"),
        (
            {"loss": "sigmoid", "mixup": 0.5, "augment": "inception", "randaugment": [2, 15]},
            "sigmoid cross-entropy, sum of classes, mixup 0.5, augmentation inception, RandAugment",
        ),
        (
            {"loss": "softmax", "augment": "none", "rho": 0.1},
            "softmax cross-entropy, at w, before SAM's ascent",
        ),
        (
            {"loss": "softmax", "task": "adversarial"},
            "softmax cross-entropy, attacked pictures",
        ),
        ({"loss": "softmax", "task": "contrastive"}, "supervised contrastive"),
        ({"opt": "sgd", "rho": 0.1}, "as logged"),
        ({}, "as logged"),
    ],
)
def test_the_training_loss_says_which_it_is(training, name):
    columns = {name: np.array([1.0, 2.0]) for name in ("epoch", "train_loss", "val_loss")}
    provenance = replace(UNKNOWN, origin={"training": training})
    result = Curves(columns, label="a", settings=Settings(), provenance=provenance)
    assert tabulate([result])[""][0]["which loss"] == name
    page = draw([result])["curves-loss"]
    assert page.axes[0].get_ylabel() == f"training loss\n({name})"
    assert name.startswith(page.axes[1].get_ylabel().split("(")[1].rstrip(")"))
    other = replace(result, provenance=replace(UNKNOWN, origin={"training": {"loss": "other"}}))
    assert "see the table" in draw([result, other])["curves-loss"].axes[0].get_ylabel()


def test_the_table_says_the_last_epoch_of_logs_that_count_from_0():
    columns = {"epoch": np.array([0.0, 1.0]), "val_loss": np.array([2.0, 1.0])}
    (row,) = tabulate([Curves(columns, label="a", settings=Settings(), provenance=UNKNOWN)])[""]
    assert row["last epoch"] == "1"
    assert "epochs" not in row


def test_a_panel_of_what_was_not_logged_has_no_ticks():
    columns = {"epoch": np.array([0.0, 1.0]), "val_accuracy": np.array([50.0, 60.0])}
    page = draw([Curves(columns, label="a", settings=Settings(), provenance=UNKNOWN)])["curves"]
    empty, logged = page.axes
    assert [text.get_text() for text in empty.texts] == ["not logged"]
    assert len(empty.get_xticks()) == len(empty.get_yticks()) == 0
    assert len(logged.get_xticks()) > 0
