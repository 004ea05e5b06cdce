"""What surfaces and lines can be asked for beyond the loss, from the command line."""

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from landscape.models.catalog import ModelSpec
from tests.analyses.written import arrays, headline
from tests.commands import assert_one_line, content

GRID = ("--x=-1:1:3", "--y=-0.5:1.5:5")
LINE = ("--x=-1:1:3",)
QUIET = ("--format", "none")

USER_FILE = """\
import torch
from torch import nn
import torch.nn.functional as F

def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 7))

def data(split):
    generator = torch.Generator().manual_seed(len(split))
    return torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 7

def margin(outputs, targets):
    return (outputs.gather(1, targets[:, None])[:, 0] - outputs.mean(1)).mean()

def smooth(outputs, targets):
    return F.cross_entropy(outputs, targets, label_smoothing=0.3)

def summed(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="sum")
"""


@pytest.fixture
def mine(tmp_path):
    """A user's file, and the words for a checkpoint of its network; all of its 40 samples."""
    source = tmp_path / "mine.py"
    source.write_text(USER_FILE)
    torch.save(ModelSpec(f"{source}:net", {}).build().state_dict(), tmp_path / "net.pth")
    model = ("--model", f"{source}:net", "--data", f"{source}:data")
    return source, (tmp_path / "net.pth", *model, "--output-dir", tmp_path / "out", *QUIET)


def of_split(split):
    generator = torch.Generator().manual_seed(len(split))
    return torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 7


def moved(path, x, y=None):
    """The user's network at a point of a result file, made of the file's own directions."""
    state = torch.load(path.parents[2] / "net.pth", weights_only=True)
    with h5py.File(path) as file:
        for number, name in enumerate(state):
            state[name] = state[name] + x * torch.from_numpy(file[f"xdirection/{number}"][()])
            if y is not None:
                state[name] = state[name] + y * torch.from_numpy(file[f"ydirection/{number}"][()])

    def forward(inputs):
        hidden = F.relu(F.linear(inputs.flatten(1), state["1.weight"], state["1.bias"]))
        return F.linear(hidden, state["3.weight"], state["3.bias"])

    return forward


def brier(outputs, targets):
    rest = outputs.softmax(1) - F.one_hot(targets, 7)
    return rest.square().sum(1).mean().item()


def top5_error(outputs, targets):
    order = outputs.argsort(1, descending=True)[:, :5]
    return 100 * (1 - (order == targets[:, None]).any(1).float().mean().item())


def confidence(outputs, _targets):
    return outputs.softmax(1).max(1).values.mean().item()


def margin(outputs, targets):
    right = outputs[torch.arange(len(targets)), targets]
    return (right - outputs.mean(1)).mean().item()


METRICS = {"brier": brier, "top5_error": top5_error, "confidence": confidence, "margin": margin}


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
        assert file["train_loss"].attrs["unit"] == unit


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--loss", "softmax_squared_error"), "loss cross_entropy, now softmax_squared_error"),
        (("--metrics", "brier"), "metrics not given, now ['brier']"),
        (("--split", "train,test"), "others not given, now {'test': "),
    ],
)
def test_what_is_asked_for_more_is_measured_anew(done, mine, tmp_path, words, message):
    _, first = mine
    done("line", *first, *LINE)
    before = content(tmp_path / "out")
    _, err = done("line", *first, *LINE, *words)
    assert "was measured differently" in err
    assert message in err
    assert content(tmp_path / "out")["net/line.1.h5"] == before["net/line.h5"]
    _, err = done("line", *first, *LINE, *words)
    assert "net: line is already measured" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--loss", "cross-entropy"), "unknown --loss 'cross-entropy'; expected cross_entropy,"),
        (("--metrics", "brier,bier"), "unknown --metrics 'bier'; expected top5_error,"),
        (("--loss", "squared_error"), "the model's outputs have shape"),
        (("--loss", "FILE:summed"), "mean"),
        (("--loss", "FILE:absent"), "absent"),
        (("--metrics", "FILE:absent"), "absent"),
        (("--split", "train,dev"), "unknown split 'dev'"),
        (("--split", ""), "unknown split ''"),
        (("--precision", "fp64", "--bn", "reestimate"), "has no BatchNorm"),
        (("--repeats", "0"), "--repeats has to be at least 1, got 0"),
        (("--repeats", "2", "--directions", "gradient"), "--repeats draws random directions"),
        (("--directions", "randomly"), "unknown directions 'randomly'; expected random, gradient"),
        (("--policy", "li"), "invalid choice: 'li'"),
        (("--perturb", "bias=some"), "bias=some"),
    ],
)
def test_what_can_not_be_asked_is_one_line(refused, mine, tmp_path, words, message):
    source, first = mine
    words = [word.replace("FILE", str(source)) for word in words]
    assert message in refused("line", *first, *LINE, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--zmin", "2", "--zmax", "1"), "--zmin has to be less than --zmax, got 2.0 and 1.0"),
        (("--scale", "log", "--zmin", "0"), "--scale log needs --zmin and --zmax above 0"),
        (("--scale", "cubic"), "invalid choice: 'cubic'"),
        (("--zmax", "high"), "argument --zmax"),
    ],
)
def test_a_look_that_nothing_can_have_is_one_line(plot, mine, words, message):
    status, _, err = plot("line", *mine[1], *LINE, "--format", "png", *words, "--quiet")
    assert status == 2
    assert_one_line(err, "landscape-plot")
    assert message in err


def test_the_look_changes_the_picture_and_not_the_result(done, mine, tmp_path):
    _, first = mine
    pictures = []
    done("surface", *first, *GRID)
    before = content(tmp_path / "out")
    for options in ((), ("--scale", "log"), ("--zmax", "2.5"), ("--zmin", "0.5", "--zmax", "3")):
        _, err = done("surface", *first, *GRID, "--format", "png", *options)
        assert "net: surface is already measured" in err
        pictures.append((tmp_path / "out" / "surface.png").read_bytes())
    assert len(set(pictures)) == len(pictures)
    assert content(tmp_path / "out")["net/surface.h5"] == before["net/surface.h5"]


@pytest.mark.parametrize("analysis", ["hessian", "sparsity", "report"])
def test_fast_arithmetic_is_for_slices(refused, runs, tmp_path, analysis):
    words = (runs[0], "--precision", "bf16", "--output-dir", tmp_path)
    assert "--precision bf16 is for surface, line" in refused(analysis, *words)
    assert content(tmp_path) == {}


# ---------------------------------------------------------------------------- stored results


def test_a_stored_result_is_drawn_again(done, runs, tmp_path):
    words = (*GRID, "--samples", "48", *QUIET)
    done("surface", *runs, *words, "--output-dir", tmp_path / "one")
    before = content(tmp_path / "one")
    stored = [tmp_path / "one" / name / "surface.h5" for name in ("plain", "sam")]
    drawn = (f"a={stored[0]}", f"b={stored[1]}", "--format", "svg", "--scale", "log")
    out, err = done("surface", *drawn, "--output-dir", tmp_path / "two")
    names = [f"surface{part}.svg" for part in ("", "_lines", "_3d")]
    assert out.splitlines() == [str(tmp_path / "two" / name) for name in names]
    assert err == ""
    assert content(tmp_path / "one") == before
    text = (tmp_path / "two" / "surface.svg").read_text()
    assert ">a<" in text
    assert ">b<" in text


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
