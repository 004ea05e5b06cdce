"""What a report of two runs leaves behind: its files, pictures and page."""

import json
import re

import h5py
import numpy as np
import pytest
from PIL import Image

from analyses.catalog import known_analyses
from landscape.checkpoints.run import RunDirectory
from tests.analyses.command.words import (
    FURTHER,
    REPORTED,
)
from tests.analyses.written import arrays, headline
from tests.commands import content
from tests.hdf5_files import arrays_in


def test_the_command_prints_the_paths_of_all_it_wrote(report):
    folder, process = report
    assert process.returncode == 0, process.stderr
    written = {str(folder / name) for name in content(folder)}
    assert set(process.stdout.splitlines()) == written
    assert len(process.stdout.splitlines()) == len(written)
    assert "measuring surface" in process.stderr


def test_the_files_of_the_contract(report):
    folder, _ = report
    results = {
        f"{label}/{name}.{kind}"
        for label in ("plain", "sam")
        for name in REPORTED
        for kind in ("h5", "json")
    }
    names = (*REPORTED, *FURTHER)
    pictures = {f"{name}.png" for name in names}
    assert set(content(folder)) == results | pictures | {"report.html", "report.json", "report.csv"}
    for name in names:
        with Image.open(folder / f"{name}.png") as picture:
            picture.load()
            assert min(picture.size) > 200


def test_the_report_is_one_page_about_all_of_it(report):
    page = (report[0] / "report.html").read_text()
    # A surface of each network, their scale, and both from above where scripts are off.
    first_screen = 2 + 1 + 2
    assert len(re.findall("<img [^>]*alt=", page)) == len(REPORTED) + len(FURTHER) + first_screen
    for text in ("plain", "sam", "Loss surface", "Loss along a line", "Hessian", "sparsity"):
        assert text in page
    for text in ("Figure 1", "Figure 2", "Figure 3", "Table 1", "Table 3", "Table 5"):
        assert f"<h2>{text}" in page or f"<h3>{text}" in page
    page_text = page.partition("<script")[0]  # the plotting library has links to its makers
    assert 'src="http' not in page_text
    assert 'href="http' not in page_text
    assert "default-src 'none'" in page_text  # and the browser is told to refuse them


@pytest.mark.parametrize("label", ["plain", "sam"])
@pytest.mark.parametrize("analysis", REPORTED)
def test_what_every_json_holds(report, runs, label, analysis):
    numbers = headline(report[0], label, analysis)
    assert numbers["label"] == label
    assert numbers["analysis"] == analysis
    assert isinstance(numbers["settings"], dict)
    made = numbers["provenance"]
    assert made["num_samples"] == 48
    assert made["precision"] == "float32"
    assert made["num_parameters"] == runs_parameters(runs)
    assert made["origin"]["checkpoint"] == str(runs[0].parent / label / "last.pt")
    assert made["origin"]["split"] == ("test" if known_analyses()[analysis].split else "train")
    assert made["origin"]["seed"] == 0
    assert len(made["sample_sha256"]) == len(made["origin"]["checkpoint_sha256"]) == 64
    assert {"python", "torch", "numpy"} <= set(made["versions"])
    with h5py.File(report[0] / label / f"{analysis}.h5") as file:
        assert json.loads(file.attrs["provenance"]) == made
        assert json.loads(file.attrs["settings"]) == numbers["settings"]
        assert file.attrs["analysis"].decode() == analysis
        for name, item in arrays_in(file).items():
            if not name.startswith(("xdirection/", "ydirection/")):
                assert isinstance(item.attrs["unit"], bytes), name
                assert len(json.loads(item.attrs["axes"])) in (0, item.ndim), name


def runs_parameters(runs):
    return RunDirectory(runs[0]).read_config()["num_parameters"]


def test_the_checkpoints_are_measured_on_one_sample(report):
    hashes = {
        headline(report[0], label, analysis)["provenance"]["sample_sha256"]
        for label in ("plain", "sam")
        for analysis in REPORTED
        if not known_analyses()[analysis].split
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("label", ["plain", "sam"])
def test_surface_files(report, label):
    stored, numbers = (
        arrays(report[0] / label / "surface.h5"),
        headline(report[0], label, "surface"),
    )
    assert stored["xcoordinates"].tolist() == [-1, 0, 1]
    assert stored["ycoordinates"].tolist() == [-0.5, 0, 0.5, 1, 1.5]
    assert stored["train_loss"].shape == stored["train_acc"].shape == (5, 3)
    assert "test_loss" not in stored
    assert {"xdirection", "ydirection", "tensors", "origin"} <= set(stored["groups"])
    # The network itself lies at the origin.
    assert stored["train_loss"][1, 1] == numbers["loss"]
    assert stored["train_acc"][1, 1] == numbers["accuracy"]
    assert stored["train_loss"].max() == numbers["max_loss"] > numbers["loss"]
    assert (stored["train_acc"] >= 0).all()
    assert 1 < stored["train_acc"].max() <= 100  # per cent: a share is at most 1


@pytest.mark.parametrize("label", ["plain", "sam"])
def test_line_files(report, label):
    stored, numbers = arrays(report[0] / label / "line.h5"), headline(report[0], label, "line")
    assert stored["xcoordinates"].tolist() == [-1, 0, 1]
    assert stored["train_loss"].shape == stored["train_acc"].shape == (3,)
    assert stored["train_loss"][1] == numbers["loss"]
    assert {"xdirection", "tensors", "origin"} <= set(stored["groups"])
    # It is the middle row of the surface: the same seed, the same direction.
    middle = arrays(report[0] / label / "surface.h5")["train_loss"][1]
    np.testing.assert_allclose(stored["train_loss"], middle, rtol=1e-6)


@pytest.mark.parametrize("label", ["plain", "sam"])
def test_hessian_files(report, label):
    numbers = headline(report[0], label, "hessian")
    assert len(numbers["eigenvalues"]) == len(numbers["residuals"]) == 2
    assert abs(numbers["eigenvalues"][0]) >= abs(numbers["eigenvalues"][1])
    assert numbers["converged"] is True
    assert max(numbers["residuals"]) <= 1e-4
    assert isinstance(numbers["products"], int)
    assert numbers["products"] > 2
    assert numbers["seconds"] > 0
    assert numbers["trace_stderr"] > 0
    assert np.isfinite(numbers["trace"])
    stored = arrays(report[0] / label / "hessian.h5")
    assert stored["eigenvalues"].tolist() == numbers["eigenvalues"]


@pytest.mark.parametrize("label", ["plain", "sam"])
def test_sparsity_files(report, label):
    numbers = headline(report[0], label, "sparsity")
    (layer,) = numbers["layers"]
    assert layer == "blocks.0.mlp.act"
    assert 0 < numbers["layers"][layer] < 1
    assert numbers["mean"] == pytest.approx(np.mean(list(numbers["layers"].values())))
    assert set(numbers["stderr"]) == set(numbers["layers"])
