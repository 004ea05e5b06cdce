"""What is evaluated at the points of surfaces and lines, from the command line."""

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.analyses.command.slices.networks import (
    GRID,
    LINE,
    METRICS,
    QUIET,
    moved,
    of_split,
)
from tests.analyses.written import arrays, headline


def test_metrics_on_two_splits(done, mine, tmp_path):
    source, words = mine
    names = f"brier,top5_error,confidence,{source}:margin"
    done("surface", *words, *GRID, "--metrics", names, "--split", "train,test")
    path = tmp_path / "out" / "net" / "surface.h5"
    stored = arrays(path)
    for split in ("train", "test"):
        inputs, targets = of_split(split)
        for row, y in enumerate(stored["ycoordinates"]):
            for column, x in enumerate(stored["xcoordinates"]):
                outputs = moved(path, float(x), float(y))(inputs)
                for name, metric in METRICS.items():
                    found = stored[f"{split}_{name}"][row, column]
                    assert found == pytest.approx(metric(outputs, targets), rel=1e-5, abs=1e-6)
                expected = F.cross_entropy(outputs, targets).item()
                assert stored[f"{split}_loss"][row, column] == pytest.approx(expected, rel=1e-5)
                hits = (outputs.argmax(1) == targets).float().mean().item()
                assert stored[f"{split}_acc"][row, column] == pytest.approx(100 * hits, rel=1e-6)
    said = headline(tmp_path / "out", "net", "surface")
    for split in ("train", "test"):
        for name in ("loss", "acc", "loss_stderr", *METRICS):
            assert said["own"][f"{split}_{name}"] == stored[f"{split}_{name}"][1, 1]
    assert said["split"] == "train"
    assert sorted(said["provenance"]["origin"]["metrics"]) == sorted(METRICS)


def test_the_standard_error_of_each_point_is_that_of_its_samples(done, mine, tmp_path):
    _, words = mine
    done("line", *words, *LINE, "--split", "test,train")
    path = tmp_path / "out" / "net" / "line.h5"
    stored = arrays(path)
    for split in ("train", "test"):
        inputs, targets = of_split(split)
        for place, x in enumerate(stored["xcoordinates"]):
            each = F.cross_entropy(moved(path, float(x))(inputs), targets, reduction="none")
            error = each.std().item() / 40**0.5
            assert stored[f"{split}_loss_stderr"][place] == pytest.approx(error, rel=1e-4)
    assert headline(tmp_path / "out", "net", "line")["split"] == "test"


def test_a_second_split_is_what_it_is_alone(done, runs, tmp_path):
    words = (runs[0], *LINE, "--samples", "48", *QUIET)
    done("line", *words, "--split", "train,val", "--output-dir", tmp_path / "both")
    done("line", *words, "--split", "test", "--output-dir", tmp_path / "alone")
    both, alone = (arrays(tmp_path / f / "plain" / "line.h5") for f in ("both", "alone"))
    for name in ("test_loss", "test_acc", "test_loss_stderr"):
        np.testing.assert_allclose(both[name], alone[name], rtol=1e-6)
    assert "test_loss" in both
    assert "train_loss" in both
    assert not np.allclose(both["train_loss"], both["test_loss"], rtol=1e-4)


def test_a_split_named_twice_is_one(done, runs, tmp_path):
    words = (runs[0], *LINE, "--samples", "48", *QUIET, "--output-dir", tmp_path)
    done("line", *words, "--split", "val,test,train,val")
    names = {name for name in arrays(tmp_path / "plain" / "line.h5") if name.endswith("_loss")}
    assert names == {"test_loss", "train_loss"}


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("cross_entropy", F.cross_entropy),
        (
            "softmax_squared_error",
            lambda o, t: ((o.softmax(1) - F.one_hot(t, 7)) ** 2).mean(),
        ),
        ("smooth", lambda o, t: F.cross_entropy(o, t, label_smoothing=0.3)),
    ],
)
def test_the_loss_by_name_or_function(done, mine, tmp_path, name, loss):
    source, words = mine
    done("line", *words, *LINE, "--loss", f"{source}:smooth" if name == "smooth" else name)
    path = tmp_path / "out" / "net" / "line.h5"
    inputs, targets = of_split("train")
    expected = [loss(moved(path, float(x))(inputs), targets).item() for x in (-1, 0, 1)]
    np.testing.assert_allclose(arrays(path)["train_loss"], expected, rtol=1e-5)
    said = headline(tmp_path / "out", "net", "line")
    assert said["provenance"]["origin"]["loss"] == name
    with h5py.File(path) as file:
        unit = "nats" if name == "cross_entropy" else ""
        assert file["train_loss"].attrs["unit"].decode() == unit


def test_repeats_are_the_slices_of_the_next_seeds(done, mine, tmp_path):
    _, words = mine
    done("surface", *words, *GRID, "--repeats", "3", "--seed", "4", "--samples", "0")
    with h5py.File(tmp_path / "out" / "net" / "surface.h5") as file:
        several, first = file["repeats/train_loss"][()], file["train_loss"][()]
    np.testing.assert_array_equal(several[0], first)
    for k in range(3):
        seed = ("--seed", str(4 + k), "--samples", "0")
        done("surface", *words, *GRID, *seed, "--output-dir", tmp_path / str(k))
        alone = arrays(tmp_path / str(k) / "net" / "surface.h5")["train_loss"]
        np.testing.assert_allclose(several[k], alone, rtol=1e-6)
    said = headline(tmp_path / "out", "net", "surface")
    np.testing.assert_allclose(said["mean_loss_by_repeat"], several.mean((1, 2)), rtol=1e-12)


def test_refinement_claims_its_error(done, mine, tmp_path):
    _, words = mine
    plane = ("--x=-1:1:21", "--y=-1:1:17", "--precision", "fp64")
    done("surface", *words, *plane, "--refine", "--tolerance", "0.01")
    found = arrays(tmp_path / "out" / "net" / "surface.h5")
    said = headline(tmp_path / "out", "net", "surface")
    done("surface", *words, *plane, "--output-dir", tmp_path / "all")
    truth = arrays(tmp_path / "all" / "net" / "surface.h5")
    measured = found["measured"].astype(bool)
    assert said["points"] == 21 * 17
    assert said["measured"] == measured.sum() < 21 * 17
    np.testing.assert_allclose(
        found["train_loss"][measured], truth["train_loss"][measured], rtol=1e-12
    )
    relative = found["train_loss"] / truth["train_loss"] - 1
    assert np.sqrt((relative**2).mean()) < 0.01
    assert said["largest_interpolation_error"] > 0


def test_toward_two_checkpoints(done, runs, tmp_path):
    """The plane through three networks: each lies where it should."""
    third = tmp_path / "third"
    third.mkdir()
    (third / "config.json").write_text((runs[1] / "config.json").read_text())
    other = torch.load(runs[1] / "last.pt", weights_only=True)
    for tensor in other["model"].values():
        tensor += 0.01 * torch.randn(tensor.shape)
    torch.save(other, third / "last.pt")
    toward = ("--toward-x", runs[1], "--toward-y", third, "--samples", "48", *QUIET)
    done("surface", runs[0], "--x=0:1:3", "--y=0:1:3", *toward, "--output-dir", tmp_path / "plane")
    own = ("--samples", "48", *LINE, *QUIET, "--output-dir", tmp_path / "own")
    done("line", *runs, third, *own)
    plane = arrays(tmp_path / "plane" / "plain" / "surface.h5")["train_loss"]
    for name, loss in (("plain", plane[0, 0]), ("sam", plane[0, -1]), ("third", plane[-1, 0])):
        assert loss == pytest.approx(headline(tmp_path / "own", name, "line")["loss"], rel=1e-5)
