"""Flags that can't be right are refused in one line."""

import pytest

from tests.analyses.command.words import SMALL
from tests.commands import content

HUGE = str(10**20)
WRONG = {
    "axis of one point": (("--x=0:1:1",), "a grid needs at least 2 points a side, got 1"),
    "axis in words": (("--x=banana",), "argument --x: expected MIN:MAX:N, such as -1:1:51"),
    "axis backwards": (("--x=1:0:5",), "MIN has to be less than MAX, got '1:0:5'"),
    "axis of no length": (("--x=1:1:5",), "MIN has to be less than MAX"),
    "axis without number": (("--x=0:1",), "expected MIN:MAX:N"),
    "axis of four parts": (("--x=0:1:2:3",), "expected MIN:MAX:N"),
    "axis to nan": (("--x=0:nan:3",), "expected MIN:MAX:N"),
    "axis of 128 bits": ((f"--x=0:1:{10**20}",), "numbers as large as in '0:1:1000"),
    "axis beyond single precision": (("--x=0:1e38:5",), "numbers as large as in '0:1e38:5'"),
    "axis of a trillion points": (
        (f"--x=0:1:{10**12}",),
        "the values of 1,000,000,000,000 points would take 500 TB of memory, and ",
    ),
    "samples of 128 bits": (("--samples", HUGE), "--samples has to be at most 9223372036854775807"),
    "batch size of 128 bits": (("-b", HUGE), "--batch-size has to be at most 92233720368547"),
    "seed of 128 bits": (("--seed", HUGE), "--seed has to be at most 9223372036854775807"),
    "no step": (("--zmin", "nan"), "--zmin has to be a finite number"),
    "range backwards": (("--zmin", "2", "--zmax", "1"), "--zmin has to be less than --zmax"),
    "device without values": (("--device", "meta"), "--device meta is not usable here"),
    "negative depth": (("--model-args", "depth=-1"), "--model-args depth has to be a whole"),
    "millions of blocks": (("--model-args", f"depth={10**7}"), "10,000,000 blocks would take "),
    "axis without value": (("--x",), "argument --x: expected one argument"),
    "normalization": (("--normalize", "filters"), "invalid choice: 'filters'"),
    "directions": (("--directions", "absent.h5"), "no such direction file: absent.h5"),
    "samples": (("--samples", "-1"), "--samples has to be 0 (all) or more, got -1"),
    "test samples": (
        ("--test-samples", "-1"),
        "--test-samples has to be 0 (all) or more, got -1",
    ),
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
        (("--tol", "inf"), "--tol has to be a finite number of at most 1e+19 in size, got inf"),
        (("--probes", f"{10**9}"), "--probes 1,000,000,000, each of "),
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


@pytest.mark.parametrize("every", ["0", "-1"])
@pytest.mark.parametrize("analysis", ["sharpness", "curves"])
def test_a_step_that_goes_nowhere(refused, runs, tmp_path, analysis, every):
    folder = tmp_path / "figures"
    said = refused(analysis, runs[0], "--every", every, "--output-dir", folder)
    assert f"--every has to be positive, got {every}" in said
    assert not folder.exists()


def test_a_folder_has_a_name(refused, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("line", runs[0], *SMALL["line"], "--output-dir")
    assert "argument --output-dir: expected a folder, got an empty" in refused(*words, "")
    assert "File name too long" in refused(*words, "f" * 300)
    assert content(tmp_path) == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--zmin", "1e6"), "--zmin 1e+06 leaves nothing to show: the losses are from "),
        (("--zmax", "-1"), "--zmax -1 leaves nothing to show: the losses are from "),
        (("--zmin", "1e6", "--zmax", "1e7"), "--zmin 1e+06 leaves nothing to show"),
    ],
)
def test_a_range_without_losses_draws_nothing(refused, measured, tmp_path, words, message):
    for name in ("line", "surface"):
        stored = measured / "plain" / f"{name}.h5"
        assert message in refused(name, stored, *words, "--output-dir", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_unknown_analysis(refused, runs, tmp_path):
    assert "invalid choice: 'surfac'" in refused("surfac", runs[0], "--output-dir", tmp_path)
    assert "required: ANALYSIS" in refused()
    assert "name a CHECKPOINT: a run directory" in refused("line", "--output-dir", tmp_path)
    assert content(tmp_path) == {}


def test_labels_tell_checkpoints_apart(refused, runs, tmp_path):
    words = (*SMALL["line"], "--output-dir", tmp_path / "figures")
    assert "two checkpoints are labelled 'plain'" in refused("line", runs[0], runs[0], *words)
    assert "given twice as 'a'" in refused("line", f"a={runs[0]}", f"a={runs[0]}", *words)
    again = (f"a/b={runs[0]}", f"a/b={runs[1]}")
    assert "two checkpoints are labelled 'a/b'" in refused("line", *again, *words)
    mixed = (f"a={runs[0]}", f"a/b={runs[1]}")
    assert "'a' is the label of a network and of a group" in refused("line", *mixed, *words)
    said = refused("line", f"{runs[0]}", f"plain={runs[1]}", *words)
    assert "LABEL=CHECKPOINT" in said
    for label in ("surface.png", "line.html", "LINE.JSON", "report.csv", "hessian-tails.pdf/a"):
        said = refused("line", f"{label}={runs[0]}", *words)
        assert "the name of a file that is written beside it" in said
    for label in ("x" * 256, "ε" * 128, f"a/{'x' * 256}"):
        said = refused("line", f"{label}={runs[0]}", *words)
        assert "a folder's name has at most 255 bytes" in said
    pair = (f"{'x' * 150}={runs[0]}", f"{'y' * 150}={runs[1]}")
    assert "has at most 255 bytes, this has 304" in refused("interpolate", *pair, *words)
    for label in ("a/b/c", "a/", "..", ".hidden", "a/.b"):
        said = refused("line", f"{label}={runs[0]}", *words)
        assert f"{label!r} can't be a label" in said
    assert content(tmp_path) == {}


def test_nothing_is_measured_before_all_checkpoints_are_known_to_be_right(
    refused, runs, measured, tmp_path
):
    before = content(measured)
    words = (*SMALL["line"], "--output-dir", measured, "--force")
    assert "no such checkpoint" in refused("line", runs[0], tmp_path / "absent", *words)
    assert content(measured) == before
