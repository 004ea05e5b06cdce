"""Files that can't be used are refused in one line."""

import shutil

import pytest
import torch

from landscape.models.catalog import ModelSpec
from tests.analyses.command.words import SAMPLES, SMALL
from tests.commands import content, write_pictures


class Setup(dict):
    """An object that is no plain type."""


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
    assert f"{broken} is truncated" in said
    assert content(measured) == before


@pytest.mark.parametrize("name", ["weights.pth", "weights.npz", "weights.safetensors"])
def test_a_file_that_is_no_checkpoint_is_named(refused, tmp_path, name):
    (tmp_path / name).write_text("these are no weights")
    words = (tmp_path / name, "--model", "vit-tiny", "--data", "digits")
    said = refused("line", *words, *SMALL["line"], "--output-dir", tmp_path / "figures")
    assert f"{tmp_path / name} is" in said
    assert "truncated" in said if name.endswith("safetensors") else "is a text, not weights" in said


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
    assert f"{tmp_path / 'plain'} is a file, where the folder of 'plain' has to be" in said
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


@pytest.mark.parametrize("below", ["figures", "new/figures"])
def test_an_error_leaves_no_folder_behind(refused, runs, tmp_path, below):
    """Neither one that shows before anything is measured, nor one of the measurement itself."""
    words = (runs[0], *SAMPLES, "--output-dir", tmp_path / below)
    assert "--top has to be at least 1" in refused("hessian", *words, "--top", "0")
    assert "no such checkpoint" in refused("line", tmp_path / "absent", *words)
    assert "more than the" in refused("hessian", *words, "--top", "1000000")
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_what_was_there(refused, runs, tmp_path):
    (tmp_path / "figures" / "plain").mkdir(parents=True)
    (tmp_path / "figures" / "mine").mkdir()
    words = (runs[0], runs[1], *SAMPLES, "--output-dir", tmp_path / "figures")
    refused("hessian", *words, "--top", "1000000")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["mine", "plain"]
