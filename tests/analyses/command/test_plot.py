"""landscape-plot on runs, foreign checkpoints and splits."""

import gc
import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from landscape import cli as train_cli
from landscape.models.catalog import ModelSpec
from tests.analyses.command.words import (
    ORACLE_FILE,
    SAMPLES,
    SMALL,
    VIT,
)
from tests.analyses.written import arrays, headline
from tests.commands import content, status_of, write_pictures


@pytest.mark.parametrize("split", ["test", "val"])
def test_the_held_out_split(done, runs, tmp_path, split):
    for analysis in ("surface", "line"):
        words = (runs[0], *SMALL[analysis], "--split", split, "--output-dir", tmp_path)
        done(analysis, *words)
        stored = arrays(tmp_path / "plain" / f"{analysis}.h5")
        shape = (5, 3) if analysis == "surface" else (3,)
        assert stored["test_loss"].shape == stored["test_acc"].shape == shape
        assert not {"train_loss", "train_acc"} & set(stored)
        assert headline(tmp_path, "plain", analysis)["provenance"]["origin"]["split"] == "test"


def test_all_samples(done, runs, tmp_path):
    done("sparsity", runs[0], "--samples", "0", "--split", "test", "--output-dir", tmp_path)
    assert headline(tmp_path, "plain", "sparsity")["provenance"]["num_samples"] == 355


def test_the_held_out_split_has_a_number_of_samples_of_its_own(done, runs, tmp_path):
    words = ("--only", "robustness,norms", "--corruptions", "none", "--attack-radius")
    counts = ("--samples", "16", "--test-samples", "0", "--format", "png")
    done("report", runs[0], *words, *counts, "--output-dir", tmp_path)
    sizes = {
        name: headline(tmp_path, "plain", name)["provenance"]["num_samples"]
        for name in ("robustness", "norms")
    }
    assert sizes == {"robustness": 355, "norms": 16}


def test_formats(done, runs, tmp_path):
    words = (
        "line",
        runs[0],
        *SMALL["line"],
        "--format",
        "pdf,svg,html,md",
        "--output-dir",
        tmp_path,
    )
    done(*words)
    names = {f"line.{kind}" for kind in ("pdf", "svg", "html", "md", "json", "csv")}
    assert set(content(tmp_path)) == names | {"plain/line.h5", "plain/line.json"}
    side_by_side = json.loads((tmp_path / "line.json").read_text())
    assert side_by_side["line"]["plain"]["loss"] == headline(tmp_path, "plain", "line")["loss"]
    assert "| plain |" in (tmp_path / "line.md").read_text()
    assert (tmp_path / "line.pdf").read_bytes().startswith(b"%PDF")


def test_labels(done, runs, tmp_path):
    odd = tmp_path / "lr=0.1"
    shutil.copytree(runs[0], odd)
    checkpoints = (f"no SAM={runs[0]}", f"with={runs[1] / 'best.pt'}", runs[1] / "last.pt", odd)
    done("sparsity", *checkpoints, *SAMPLES, "--output-dir", tmp_path / "figures")
    labels = {path.name for path in (tmp_path / "figures").iterdir() if path.is_dir()}
    assert labels == {"no SAM", "with", "sam", "lr=0.1"}
    origin = headline(tmp_path / "figures", "with", "sparsity")["provenance"]["origin"]
    assert origin["checkpoint"] == str(runs[1] / "best.pt")


def test_a_model_checkpoint_and_data_of_the_users_own(done, user_file, tmp_path, monkeypatch):
    spec = ModelSpec(f"{user_file}:net", {"width": 5})
    model = spec.build()
    torch.save(model.state_dict(), tmp_path / "bare.pth")
    monkeypatch.chdir(tmp_path)
    words = ("bare.pth", "--model", "mine.py:net", "--model-args", "width=5")
    words = (*words, "--data", "mine.py:data", "--output-dir", "figures", "--samples", "0")
    only = ("--only", "surface,line,hessian,sparsity", "--format", "none")
    done("report", *words, *SMALL["report"][2:], *only)
    generator = torch.Generator().manual_seed(len("train"))
    inputs, targets = torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 3
    expected = torch.nn.functional.cross_entropy(model(inputs), targets).item()
    for analysis in ("surface", "line", "hessian"):
        numbers = headline(tmp_path / "figures", "bare", analysis)
        assert numbers["loss"] == pytest.approx(expected, rel=1e-6)
    active = (model[1](inputs.flatten(1)) > 0).float().mean().item()
    assert headline(tmp_path / "figures", "bare", "sparsity")["mean"] == pytest.approx(active)


def test_a_published_vit_equals_the_oracle_in_double_precision(done, shared_data, tmp_path):
    """A JAX checkpoint under the generic name, measured in float64; the oracle is JAX's own."""
    with np.load(shared_data / "official_vit_tiny_oracle.npz") as file:
        oracle = {name: file[name] for name in file.files}
    source = tmp_path / "oracle.py"
    source.write_text(ORACLE_FILE.format(path=str(shared_data / "official_vit_tiny_oracle.npz")))
    words = (shared_data / "official_vit_tiny.npz", "--model", "vit", "--model-args", *VIT)
    words = (*words, "num_classes=10", "--data", f"{source}:load", "--precision", "fp64")
    words = (*words, "--format", "none", "--output-dir", tmp_path)
    done("hessian", *words, "--quick", "--top", "8")
    done("surface", *words, "--x=-1:1:3", "--y=-1:1:3")
    spectrum = headline(tmp_path, "official_vit_tiny", "hessian")
    plane = headline(tmp_path, "official_vit_tiny", "surface")
    for numbers in (spectrum, plane):
        assert abs(numbers["loss"] - oracle["loss"]) < 1e-10
        assert numbers["provenance"]["num_parameters"] == oracle["num_params"]
        assert numbers["provenance"]["precision"] == "float64"
    accuracy = 100 * (oracle["logits"].argmax(1) == oracle["labels"]).mean()
    assert plane["accuracy"] == pytest.approx(accuracy)
    stored = arrays(tmp_path / "official_vit_tiny" / "surface.h5")
    assert abs(stored["train_loss"][1, 1] - oracle["loss"]) < 1e-10
    assert abs(spectrum["gradient_norm"] - oracle["grad_norm"]) < 1e-10
    assert spectrum["converged"] is True
    values = np.array(spectrum["eigenvalues"])
    for expected in (*oracle["hessian_top5"], *oracle["hessian_bottom3"][:2]):
        assert np.abs(values - expected).min() < 1e-6


@pytest.mark.parametrize("flag", [("--x", "-1:1:5"), ("--x=-1:1:5",), ("--x", "-.5:1e0:5")])
def test_a_range_may_begin_with_a_minus(done, runs, tmp_path, flag):
    done("line", runs[0], *SAMPLES, *flag, "--output-dir", tmp_path)
    assert len(arrays(tmp_path / "plain" / "line.h5")["xcoordinates"]) == 5


def test_a_run_on_pictures_is_measured_from_anywhere(done, tmp_path, monkeypatch, capsys):
    """Trained with relative paths in one folder, measured with relative paths in another."""
    write_pictures(tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    words = ("--model", "resnet-tiny", "--model-args", "width=4", "--data", "imagefolder")
    words = (*words, "--data-dir", "pictures", "--epochs", "1", "-b", "4", "--quiet")
    assert status_of(train_cli.main, *words, "--output-dir", "run") == 0
    capsys.readouterr()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    words = ("line", "../run", "--x", "-1:1:3", "--output-dir", "figures")
    out, _ = done(*words)
    assert out.splitlines()[0] == "figures/run/line.h5"
    numbers = headline(tmp_path / "elsewhere" / "figures", "run", "line")
    assert numbers["provenance"]["num_samples"] == 12
    assert numbers["provenance"]["origin"]["data"] == "imagefolder"


def test_a_foreign_file_beside_a_config_of_another_tool(done, user_file, tmp_path):
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).state_dict(), tmp_path / "weights.pt")
    (tmp_path / "config.json").write_text('{"lr": 0.1}')
    words = ("--model", f"{user_file}:linear", "--data", f"{user_file}:data")
    done("line", tmp_path / "weights.pt", *words, "--x=-1:1:3", "--output-dir", tmp_path / "out")
    assert (tmp_path / "out" / "weights" / "line.h5").is_file()


def test_format_none_measures_and_draws_nothing(done, runs, tmp_path):
    done("line", runs[0], *SMALL["line"], "--format", "none", "--output-dir", tmp_path)
    assert sorted(content(tmp_path)) == ["plain/line.h5", "plain/line.json"]


@pytest.fixture
def frozen_again():
    """What tests have in common stays left out of garbage collection."""
    yield
    gc.freeze()


@pytest.mark.usefixtures("frozen_again")
@pytest.mark.parametrize("is_frozen", [False, True])
def test_drawing_leaves_the_objects_frozen_that_were(is_frozen, done, runs, tmp_path):
    gc.unfreeze()
    if is_frozen:
        gc.freeze()
    count = gc.get_freeze_count()
    assert bool(count) == is_frozen
    done("norms", runs[0], "--samples", "4", "--quiet", "--output-dir", tmp_path)
    assert gc.get_freeze_count() == pytest.approx(count, rel=0.01)
