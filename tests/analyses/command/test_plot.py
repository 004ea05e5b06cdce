import json
import shutil

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from analyses import line
from analyses.catalog import known_analyses
from landscape import cli as train_cli
from landscape.checkpoints.run import RunDirectory
from landscape.models.catalog import ModelSpec
from tests.analyses.written import arrays, headline
from tests.commands import TIMEOUT, content, run, start, status_of, write_pictures

SAMPLES = ("--samples", "48")
SPECTRUM = ("--top", "2", "--probes", "2", "--density-steps", "4")
MINIBATCHES = ("--minibatches", "3", "--minibatch-top", "2")
WORDS = {
    "surface": ("--x=-1:1:3", "--y=-0.5:1.5:5"),
    "line": ("--x=-1:1:3",),
    "hessian": SPECTRUM,
    "components": (),
    "minibatch": MINIBATCHES,
    "ntk": ("--ntk-samples", "4", "--ntk-outputs", "2", "--ntk-seeds", "2"),
    "flatness": ("--draws", "2", "--sigmas", "0.01", "--ascent-steps", "1"),
    "norms": (),
    "sparsity": (),
    "recursion": ("--recursion-samples", "2"),
    "similarity": ("--cka-samples", "16"),
    "attention": ("--pictures", "2"),
    "linearity": ("--segment", "3"),
    "robustness": ("--corruptions", "fog,contrast", "--attack-radius", "4", "--attack-steps", "2"),
}
SMALL = {name: (*SAMPLES, *words) for name, words in WORDS.items()}
SMALL["report"] = (*SAMPLES, *(word for words in WORDS.values() for word in words))
VIT = ("image_size=32", "patch_size=8", "dim=32", "depth=2", "heads=4", "mlp_dim=64")

USER_FILE = """\
import torch
from torch import nn

def net(width=6):
    return nn.Sequential(nn.Flatten(), nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))

def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))

def data(split):
    generator = torch.Generator().manual_seed(len(split))
    return torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 3

def more_classes():
    return torch.randn(40, 1, 2, 2), torch.arange(40) % 7

def digits_with_more_classes():
    return torch.randn(40, 1, 8, 8), torch.arange(40) % 12
"""

ORACLE_FILE = """\
import numpy as np
import torch

def load():
    oracle = np.load({path!r})
    images = torch.from_numpy(oracle["images_nhwc"]).permute(0, 3, 1, 2)
    return images, torch.from_numpy(oracle["labels"])
"""


class Setup(dict):
    """An object that is no plain type."""


# What a report holds of two runs without saved epochs.
FURTHER = (
    "surface_lines",
    "surface_3d",
    "hessian-tails",
    "hessian-linear",
    "curves-loss",
    "sparsity-neurons",
    "similarity-networks",
    "similarity-invariance",
    "attention-rollout",
    "attention-heads",
    "attention-entropy",
)
NOT_REPORTED = ("interpolate", "trajectory", "sharpness")
REPORTED = tuple(name for name in known_analyses() if name not in NOT_REPORTED)


@pytest.fixture(scope="module")
def report(runs, tmp_path_factory):
    """All analyses of the two runs by a real command, and what it said."""
    folder = tmp_path_factory.mktemp("figures") / "new"
    words = ("report", *runs, *SMALL["report"], "--format", "png,svg", "--output-dir", folder)
    return folder, run("landscape-plot", *words)


@pytest.fixture
def measured(report, tmp_path):
    """A copy of the report's folder that a test may change."""
    return shutil.copytree(report[0], tmp_path / "figures")


@pytest.fixture
def user_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(USER_FILE)
    return path


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
    pictures = {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert set(content(folder)) == results | pictures | {"report.html", "report.json"}
    for name in names:
        with Image.open(folder / f"{name}.png") as picture:
            picture.load()
            assert min(picture.size) > 200


def test_the_report_is_one_page_about_all_of_it(report):
    page = (report[0] / "report.html").read_text()
    assert page.count("<img alt=") == len(REPORTED) + len(FURTHER)
    for text in ("plain", "sam", "Loss surface", "Loss along a line", "Hessian", "sparsity"):
        assert text in page
    for text in ("Figure 1", "Figure 2", "Figure 3", "Table 1", "Table 3", "Table 5"):
        assert f"<h2>{text}" in page or f"<h3>{text}" in page
    own = page.partition("<script")[0]  # the plotting library has links to its makers
    assert 'src="http' not in own
    assert 'href="http' not in own
    assert "default-src 'none'" in own  # and the browser is told to refuse them


@pytest.mark.parametrize("label", ["plain", "sam"])
@pytest.mark.parametrize("analysis", REPORTED)
def test_what_every_json_holds(report, runs, label, analysis):
    found = headline(report[0], label, analysis)
    assert found["label"] == label
    assert found["analysis"] == analysis
    assert isinstance(found["settings"], dict)
    made = found["provenance"]
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
        assert json.loads(file.attrs["settings"]) == found["settings"]
        assert file.attrs["analysis"] == analysis
        for name, item in file.items():
            if isinstance(item, h5py.Dataset):
                assert isinstance(item.attrs["unit"], str), name
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
    stored, found = arrays(report[0] / label / "surface.h5"), headline(report[0], label, "surface")
    assert stored["xcoordinates"].tolist() == [-1, 0, 1]
    assert stored["ycoordinates"].tolist() == [-0.5, 0, 0.5, 1, 1.5]
    assert stored["train_loss"].shape == stored["train_acc"].shape == (5, 3)
    assert "test_loss" not in stored
    assert {"xdirection", "ydirection", "tensors", "origin"} <= set(stored["groups"])
    # The network itself lies at the origin.
    assert stored["train_loss"][1, 1] == found["loss"]
    assert stored["train_acc"][1, 1] == found["accuracy"]
    assert stored["train_loss"].max() == found["max_loss"] > found["loss"]
    assert (stored["train_acc"] >= 0).all()
    assert 10 < stored["train_acc"][1, 1] <= 100  # per cent


@pytest.mark.parametrize("label", ["plain", "sam"])
def test_line_files(report, label):
    stored, found = arrays(report[0] / label / "line.h5"), headline(report[0], label, "line")
    assert stored["xcoordinates"].tolist() == [-1, 0, 1]
    assert stored["train_loss"].shape == stored["train_acc"].shape == (3,)
    assert stored["train_loss"][1] == found["loss"]
    assert {"xdirection", "tensors", "origin"} <= set(stored["groups"])
    # It is the middle row of the surface: the same seed, the same direction.
    middle = arrays(report[0] / label / "surface.h5")["train_loss"][1]
    np.testing.assert_allclose(stored["train_loss"], middle, rtol=1e-6)


@pytest.mark.parametrize("label", ["plain", "sam"])
def test_hessian_files(report, label):
    found = headline(report[0], label, "hessian")
    assert len(found["eigenvalues"]) == len(found["residuals"]) == 2
    assert abs(found["eigenvalues"][0]) >= abs(found["eigenvalues"][1])
    assert found["converged"] is True
    assert max(found["residuals"]) <= 1e-4
    assert isinstance(found["products"], int)
    assert found["products"] > 2
    assert found["seconds"] > 0
    assert found["trace_stderr"] > 0
    assert np.isfinite(found["trace"])
    stored = arrays(report[0] / label / "hessian.h5")
    assert stored["eigenvalues"].tolist() == found["eigenvalues"]


@pytest.mark.parametrize("label", ["plain", "sam"])
def test_sparsity_files(report, label):
    found = headline(report[0], label, "sparsity")
    (layer,) = found["layers"]
    assert layer == "blocks.0.mlp.act"
    assert 0 < found["layers"][layer] < 1
    assert found["mean"] == pytest.approx(np.mean(list(found["layers"].values())))
    assert set(found["stderr"]) == set(found["layers"])


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
    names = {f"line.{kind}" for kind in ("pdf", "svg", "html", "md", "json")}
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
    done("report", *words, *SMALL["report"][2:])
    generator = torch.Generator().manual_seed(len("train"))
    inputs, targets = torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 3
    expected = torch.nn.functional.cross_entropy(model(inputs), targets).item()
    for analysis in ("surface", "line", "hessian"):
        found = headline(tmp_path / "figures", "bare", analysis)
        assert found["loss"] == pytest.approx(expected, rel=1e-6)
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
    words = (*words, "--output-dir", tmp_path)
    done("hessian", *words, "--top", "8", "--probes", "0")
    done("surface", *words, "--x=-1:1:3", "--y=-1:1:3")
    spectrum = headline(tmp_path, "official_vit_tiny", "hessian")
    plane = headline(tmp_path, "official_vit_tiny", "surface")
    for found in (spectrum, plane):
        assert abs(found["loss"] - oracle["loss"]) < 1e-10
        assert found["provenance"]["num_parameters"] == oracle["num_params"]
        assert found["provenance"]["precision"] == "float64"
    accuracy = 100 * (oracle["logits"].argmax(1) == oracle["labels"]).mean()
    assert plane["accuracy"] == pytest.approx(accuracy)
    stored = arrays(tmp_path / "official_vit_tiny" / "surface.h5")
    assert abs(stored["train_loss"][1, 1] - oracle["loss"]) < 1e-10
    assert abs(spectrum["gradient_norm"] - oracle["grad_norm"]) < 1e-10
    assert spectrum["converged"] is True
    values = np.array(spectrum["eigenvalues"])
    for expected in (*oracle["hessian_top5"], *oracle["hessian_bottom3"][:2]):
        assert np.abs(values - expected).min() < 1e-6


# By itself, curves reads the runs' metrics each time: they may have grown.
@pytest.mark.parametrize("analysis", [*(name for name in REPORTED if name != "curves"), "report"])
def test_what_is_measured_is_not_measured_again(done, runs, measured, analysis, monkeypatch):
    def fail(*_words):
        raise AssertionError("measured again")

    for name in REPORTED:  # a trajectory is asked for, and says that there is none
        monkeypatch.setattr(known_analyses()[name], "compute", fail)
    before = content(measured)
    _, err = done(analysis, *runs, *SMALL[analysis], "--output-dir", measured)
    names = REPORTED if analysis == "report" else [analysis]
    for name in names:
        for label in ("plain", "sam"):
            assert f"{label}: {name} is already measured" in err
            for file in (f"{label}/{name}.h5", f"{label}/{name}.json"):
                assert content(measured)[file] == before[file]


def test_what_is_measured_stays_when_a_checkpoint_is_added(done, runs, measured):
    before = (measured / "plain" / "line.h5").read_bytes()
    checkpoints = (runs[0], f"third={runs[1]}")
    _, err = done("line", *checkpoints, *SMALL["line"], "--output-dir", measured)
    assert "plain: line is already measured" in err
    assert "third: measuring line" in err
    assert (measured / "plain" / "line.h5").read_bytes() == before


def test_force_measures_again(done, runs, measured):
    with h5py.File(measured / "plain" / "line.h5", "r+") as file:
        file["train_loss"][:] = 7.0
    _, err = done("line", runs[0], *SMALL["line"], "--output-dir", measured)
    assert "already measured" in err
    assert headline(measured, "plain", "line")["loss_at_end"] == 7
    _, err = done("line", runs[0], *SMALL["line"], "--output-dir", measured, "--force")
    assert "plain: measuring line" in err
    assert arrays(measured / "plain" / "line.h5")["train_loss"].max() != 7
    assert headline(measured, "plain", "line")["loss_at_end"] != 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--x=-1:1:5",), "x -1:1:3, now -1:1:5"),
        (("--normalize", "layer"), "normalize filter, now layer"),
        (("--samples", "32"), "another sample"),
        (("--seed", "1"), "seed 0, now 1"),
        (("--precision", "fp64"), "precision"),
        (("--split", "test"), "another sample"),
        (("--mean", "0.5", "--std", "0.5"), "another sample"),
    ],
    ids=["x", "normalize", "samples", "seed", "precision", "split", "mean"],
)
def test_another_question_does_not_replace_an_answer(done, runs, measured, words, message):
    before = content(measured)
    _, said = done("line", runs[0], *SMALL["line"], *words, "--output-dir", measured)
    assert message in said
    assert f"{measured / 'plain' / 'line.h5'} was measured differently" in said
    assert "kept as line.1.h5" in said
    after = content(measured)
    for kind in ("h5", "json"):
        assert after[f"plain/line.1.{kind}"] == before[f"plain/line.{kind}"]
        assert after[f"plain/line.{kind}"] != before[f"plain/line.{kind}"]


def test_other_weights_do_not_replace_an_answer(done, runs, measured):
    before = content(measured)
    words = (f"plain={runs[1]}", *SMALL["line"], "--output-dir", measured)
    assert "other weights" in done("line", *words)[1]
    assert content(measured)["plain/line.1.h5"] == before["plain/line.h5"]


def test_a_damaged_result_is_measured_again_with_force_only(refused, done, runs, measured):
    path = measured / "plain" / "line.h5"
    path.write_bytes(path.read_bytes()[:1000])
    before = content(measured)
    words = ("line", runs[0], *SMALL["line"], "--output-dir", measured)
    assert f"{path} is damaged or not a result file" in refused(*words)
    assert content(measured) == before
    done(*words, "--force")
    assert arrays(path)["train_loss"].shape == (3,)


def test_an_interrupted_command_goes_on_with_what_is_not_finished(
    plot, runs, tmp_path, monkeypatch
):
    compute, left = line.compute, [1]

    def interrupted(*words):
        if left.pop():
            left.append(0)
            return compute(*words)
        raise KeyboardInterrupt

    words = ("line", *runs, *SMALL["line"], "--output-dir", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(line, "compute", interrupted)
        status, _, err = plot(*words)
    assert status == 130
    assert "landscape-plot: interrupted; what is finished is kept; the same command goes on" in err
    assert set(content(tmp_path)) == {"plain/line.h5", "plain/line.json"}
    status, _, err = plot(*words)
    assert status == 0
    assert "plain: line is already measured" in err
    assert "sam: measuring line" in err


WRONG = {
    "axis of one point": (("--x=0:1:1",), "a grid needs at least 2 points a side, got 1"),
    "axis in words": (("--x=banana",), "argument --x: expected MIN:MAX:N, such as -1:1:51"),
    "axis backwards": (("--x=1:0:5",), "MIN has to be less than MAX, got '1:0:5'"),
    "axis of no length": (("--x=1:1:5",), "MIN has to be less than MAX"),
    "axis without number": (("--x=0:1",), "expected MIN:MAX:N"),
    "axis of four parts": (("--x=0:1:2:3",), "expected MIN:MAX:N"),
    "axis to nan": (("--x=0:nan:3",), "expected MIN:MAX:N"),
    "axis without value": (("--x",), "argument --x: expected one argument"),
    "normalization": (("--normalize", "filters"), "invalid choice: 'filters'"),
    "directions": (("--directions", "absent.h5"), "no such direction file: absent.h5"),
    "samples": (("--samples", "-1"), "--samples has to be 0 (all) or more, got -1"),
    "batch size": (("--batch-size", "-2"), "batch size has to be at least 1, or 0 (auto), got -2"),
    "split": (("--split", "dev"), "unknown split 'dev'"),
    "device": (("--device", "banana"), "--device banana is not usable here"),
    "precision": (("--precision", "fp16"), "invalid choice: 'fp16'"),
    "format": (("--format", "bmp"), "unknown format bmp; expected png, pdf, svg"),
    "flag": (("--grid", "5"), "unrecognized arguments: --grid"),
    "another analysis's flag": (("--top", "5"), "unrecognized arguments: --top"),
    "model": (("--model", "vit-tinny"), "unknown model 'vit-tinny'; did you mean vit-tiny?"),
    "missing keys": (("--model-args", "depth=2"), "missing keys: blocks.1."),
    "unexpected keys": (("--model-args", "depth=0"), "unexpected keys: blocks.0."),
    "wrong shapes": (
        ("--model-args", "dim=24"),
        "wrong shapes: cls_token (1, 1, 16) instead of (1, 1, 24)",
    ),
    "no argument": (("--model-args", "layers=1,1"), "--model vit takes no argument layers"),
    "data": (("--data", "digit"), "unknown data: 'digit'; did you mean digits?"),
    "pixels": (("--image-size", "16"), "digits are 8x8 pixels; --image-size 16 is not"),
    "mean alone": (("--mean", "0.5"), "--mean and --std have to be given together"),
    "means": (("--mean", "1", "2", "3", "--std", "1"), "--mean and --std take 1 or 1 numbers"),
    "user data": (("--data", "absent.py:load"), "absent.py (expected FILE.py:FUNCTION"),
    "user model": (("--model", "absent.py:net"), "absent.py (expected FILE.py:FUNCTION"),
}


@pytest.mark.parametrize(("words", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_and_nothing_is_touched_even_with_force(
    refused, runs, measured, words, message
):
    before = content(measured)
    words = (*SMALL["line"], *words, "--output-dir", measured, "--force")
    assert message in refused("line", runs[0], *words)
    assert content(measured) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--top", "0"), "--top has to be at least 1, got 0"),
        (("--top", "-1"), "--top has to be at least 1, got -1"),
        (("--top", "1000000"), "--top 1000000 is more than the "),
        (("--probes", "-1"), "--probes can't be negative, got -1"),
        (("--density-steps", "0"), "--density-steps has to be at least 1, got 0"),
        (("--max-steps", "0"), "--max-steps has to be at least 1, got 0"),
        (("--tol", "0"), "--tol has to be positive, got 0"),
        (("--tol", "nan"), "--tol has to be positive, got nan"),
        (("--method", "arnoldi"), "invalid choice: 'arnoldi'"),
    ],
)
def test_what_no_spectrum_has(refused, runs, tmp_path, words, message):
    words = (*SMALL["hessian"], *words, "--output-dir", tmp_path)
    assert message in refused("hessian", runs[0], *words)


def test_a_report_is_refused_before_anything_is_measured(refused, runs, tmp_path):
    """Whatever is wrong with one of its analyses."""
    for words, message in (
        (("--top", "0"), "--top has to be at least 1, got 0"),
        (("--x=1:0:5",), "MIN has to be less than MAX"),
        (("--normalize", "filters"), "invalid choice: 'filters'"),
    ):
        said = refused("report", runs[0], *SMALL["report"], *words, "--output-dir", tmp_path)
        assert message in said
    assert content(tmp_path) == {}


def test_an_unknown_analysis(refused, runs, tmp_path):
    assert "invalid choice: 'surfac'" in refused("surfac", runs[0], "--output-dir", tmp_path)
    assert "required: ANALYSIS" in refused()
    assert "required: CHECKPOINT" in refused("line", "--output-dir", tmp_path)
    assert content(tmp_path) == {}


@pytest.mark.parametrize("flag", [("--x", "-1:1:5"), ("--x=-1:1:5",), ("--x", "-.5:1e0:5")])
def test_a_range_may_begin_with_a_minus(done, runs, tmp_path, flag):
    done("line", runs[0], *SAMPLES, *flag, "--output-dir", tmp_path)
    assert len(arrays(tmp_path / "plain" / "line.h5")["xcoordinates"]) == 5


@pytest.mark.parametrize(
    "words",
    [(), ("--data", "digits"), ("--model", "vit-tiny", "--data", "digits")],
    ids=["", "data", "model"],
)
def test_a_missing_checkpoint_is_named(refused, runs, tmp_path, words):
    missing = tmp_path / "absent"
    said = refused("line", missing, *words, *SMALL["line"], "--output-dir", tmp_path / "figures")
    assert f"no such checkpoint: {missing}" in said


def test_a_folder_that_is_no_run_is_named(refused, tmp_path):
    said = refused("line", tmp_path, "--data", "digits", "--output-dir", tmp_path / "figures")
    assert f"{tmp_path} is not a run directory" in said


def test_a_file_that_does_not_say_what_it_is(refused, runs, tmp_path):
    shutil.copy(runs[0] / "last.pt", tmp_path / "alone.pt")
    words = (tmp_path / "alone.pt", "--output-dir", tmp_path / "figures")
    assert "say which with --data" in refused("line", *words)
    assert "say what it is with --model" in refused("line", *words, "--data", "digits")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_checkpoint_is_named(refused, runs, measured, tmp_path, share):
    broken = shutil.copytree(runs[0], tmp_path / "plain") / "last.pt"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: int(share * len(whole))])
    before = content(measured)
    said = refused("line", broken.parent, *SMALL["line"], "--output-dir", measured, "--force")
    assert f"{broken} is truncated or not a torch checkpoint" in said
    assert content(measured) == before


@pytest.mark.parametrize("name", ["weights.pth", "weights.npz", "weights.safetensors"])
def test_a_file_that_is_no_checkpoint_is_named(refused, tmp_path, name):
    (tmp_path / name).write_text("these are no weights")
    words = (tmp_path / name, "--model", "vit-tiny", "--data", "digits")
    said = refused("line", *words, *SMALL["line"], "--output-dir", tmp_path / "figures")
    assert f"{tmp_path / name} is truncated or not a" in said


def test_pickled_objects_are_loaded_when_trusted(refused, done, user_file, tmp_path):
    model = ModelSpec(f"{user_file}:net", {}).build()
    path = tmp_path / "pickled.pth"
    torch.save({"state_dict": model.state_dict(), "setup": Setup(a=1)}, path)
    words = ("line", path, "--model", f"{user_file}:net", "--data", f"{user_file}:data")
    words = (*words, *SMALL["line"], "--output-dir", tmp_path / "figures")
    said = refused(*words)
    assert "--trust" in said
    assert "Setup" in said
    done(*words, "--trust")
    assert (tmp_path / "figures" / "pickled" / "line.h5").exists()


def test_data_with_other_classes_than_the_model(refused, runs, user_file, tmp_path):
    words = ("line", runs[0], *SMALL["line"], "--output-dir", tmp_path / "figures")
    said = refused(*words, "--data", f"{user_file}:digits_with_more_classes")
    assert "the train data has classes numbered 0 to 11, the model 10 outputs" in said
    said = refused(*words, "--data", f"{user_file}:more_classes")
    assert "does not take inputs of shape (1, 2, 2)" in said
    assert "Traceback" not in said


def test_a_model_without_activations_has_no_sparsity(refused, user_file, tmp_path):
    model = ModelSpec(f"{user_file}:linear", {}).build()
    torch.save(model.state_dict(), tmp_path / "linear.pth")
    words = ("--model", f"{user_file}:linear", "--data", f"{user_file}:data")
    words = (tmp_path / "linear.pth", *words, "--output-dir", tmp_path / "figures")
    assert "no activation function" in refused("sparsity", *words)


def test_labels_tell_checkpoints_apart(refused, runs, tmp_path):
    words = (*SMALL["line"], "--output-dir", tmp_path / "figures")
    assert "two checkpoints are labelled 'plain'" in refused("line", runs[0], runs[0], *words)
    assert "labelled 'a'" in refused("line", f"a={runs[0]}", f"a={runs[1]}", *words)
    said = refused("line", f"{runs[0]}", f"plain={runs[1]}", *words)
    assert "LABEL=CHECKPOINT" in said
    for label in ("a/b", "..", ".hidden"):
        said = refused("line", f"{label}={runs[0]}", *words)
        assert f"{label!r} can't be a label" in said
    assert content(tmp_path) == {}


@pytest.mark.parametrize("below", [".", "figures", "a/figures"])
def test_a_file_where_the_output_should_be(refused, runs, tmp_path, below):
    place = tmp_path / "file"
    place.write_text("mine")
    said = refused("line", runs[0], *SMALL["line"], "--output-dir", place / below)
    assert f"cannot write to {place / below}" in said
    assert content(tmp_path) == {"file": b"mine"}


def test_a_file_where_the_label_should_be(refused, runs, tmp_path):
    (tmp_path / "plain").write_text("mine")
    said = refused("line", runs[0], *SMALL["line"], "--output-dir", tmp_path)
    assert f"cannot write to {tmp_path / 'plain'}" in said
    assert content(tmp_path) == {"plain": b"mine"}


def test_pictures_that_can_not_be_measured(refused, runs, tmp_path):
    words = (*SMALL["line"], "--output-dir", tmp_path / "figures", "--data", "imagefolder")
    assert "--data imagefolder needs --data-dir" in refused("line", runs[0], *words)
    root = tmp_path / "pictures"
    words = (*words, "--data-dir", root)
    assert f"no such folder: --data-dir {root}" in refused("line", runs[0], *words)
    root.mkdir()
    assert f"{root} has no train/ folder" in refused("line", runs[0], *words)
    write_pictures(root)
    broken = root / "train" / "a" / "3.png"
    broken.write_bytes(broken.read_bytes()[:-80])
    assert f"unreadable picture {broken}: " in refused("line", runs[0], *words)
    broken.unlink()
    said = refused("line", runs[0], *words)  # three channels, and the model takes one
    assert "does not take inputs of shape (3, 8, 8)" in said


def test_debug_shows_the_traceback(plot, runs, tmp_path):
    words = ("line", runs[0], "--model", "vit-tinny", "--output-dir", tmp_path)
    status, out, err = plot(*words, "--debug")
    assert (status, out) == (2, "")
    assert "Traceback (most recent call last):" in err
    assert "InputError: unknown model 'vit-tinny'" in err


def test_an_error_of_our_own_is_one_line_and_a_failure(plot, runs, tmp_path, monkeypatch):
    def fail(*_words):
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(line, "compute", fail)
    words = ("line", runs[0], *SAMPLES, "--quiet", "--output-dir", tmp_path)
    status, out, err = plot(*words)
    assert (status, out) == (1, "")
    assert err == "landscape-plot: error: RuntimeError: first second (--debug shows where)\n"
    assert content(tmp_path) == {}


def test_quiet_leaves_results_only(plot, runs, tmp_path):
    words = ("line", runs[0], *SMALL["line"], "--output-dir", tmp_path, "--quiet")
    status, out, err = plot(*words)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        str(tmp_path / name)
        for name in (
            "plain/line.h5",
            "plain/line.json",
            "line.png",
            "line.html",
            "line.json",
            "line.md",
        )
    ]


def test_every_analysis_has_the_shared_flags(plot):
    for analysis in (*known_analyses(), "report"):
        status, out, err = plot(analysis, "--help")
        assert (status, err) == (0, "")
        for flag in (
            *("--model", "--model-args", "--data", "--data-dir", "--split", "--image-size"),
            *("--mean", "--std", "--samples", "-b", "--batch-size", "--device", "--precision"),
            *("--seed", "--output-dir", "--format", "--force", "--debug", "--quiet"),
        ):
            assert flag in out, f"{analysis} {flag}"


def test_help_fits_80_columns(plot, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for words in ((), *((name,) for name in (*known_analyses(), "report"))):
        status, out, _ = plot(*words, "--help")
        assert status == 0
        assert max(map(len, out.splitlines())) <= 80, words


def test_a_run_on_pictures_is_measured_from_anywhere(tmp_path, monkeypatch):
    """Trained with relative paths in one folder, measured with relative paths in another."""
    write_pictures(tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    words = ("--model", "resnet-tiny", "--model-args", "width=4", "--data", "imagefolder")
    words = (*words, "--data-dir", "pictures", "--epochs", "1", "-b", "4", "--quiet")
    assert status_of(train_cli.main, *words, "--output-dir", "run") == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    words = ("line", "../run", "--x", "-1:1:3", "--output-dir", "figures")
    process = run("landscape-plot", *words)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[0] == "figures/run/line.h5"
    found = headline(tmp_path / "elsewhere" / "figures", "run", "line")
    assert found["provenance"]["num_samples"] == 12
    assert found["provenance"]["origin"]["data"] == "imagefolder"


def test_a_reader_that_goes_away_is_no_error(runs, tmp_path):
    """As in ``landscape-plot ... | head -1``, with a head that leaves at once: the work is done."""
    words = ("sparsity", runs[0], *SAMPLES, "--output-dir", tmp_path)
    with start("landscape-plot", *words, unbuffered=True) as process:
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=TIMEOUT)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "Broken" not in err
    assert "Exception" not in err
    assert {"plain/sparsity.h5", "sparsity.png"} <= set(content(tmp_path))


def test_nothing_is_measured_before_all_checkpoints_are_known_to_be_right(
    refused, runs, measured, tmp_path
):
    before = content(measured)
    words = (*SMALL["line"], "--output-dir", measured, "--force")
    assert "no such checkpoint" in refused("line", runs[0], tmp_path / "absent", *words)
    assert content(measured) == before


def test_a_foreign_file_beside_a_config_of_another_tool(done, user_file, tmp_path):
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).state_dict(), tmp_path / "weights.pt")
    (tmp_path / "config.json").write_text('{"lr": 0.1}')
    words = ("--model", f"{user_file}:linear", "--data", f"{user_file}:data")
    done("line", tmp_path / "weights.pt", *words, "--x=-1:1:3", "--output-dir", tmp_path / "out")
    assert (tmp_path / "out" / "weights" / "line.h5").is_file()


def test_format_none_measures_and_draws_nothing(done, runs, tmp_path):
    done("line", runs[0], *SMALL["line"], "--format", "none", "--output-dir", tmp_path)
    assert sorted(content(tmp_path)) == ["plain/line.h5", "plain/line.json"]
