"""Recipes, flags over them, and starting from other weights."""

from importlib import import_module

import pytest
import torch

from landscape.checkpoints.run import RunDirectory
from landscape.cli import main
from tests.commands import status_of, write_pictures

SMALL = ("--model-args", "depth=1", "dim=16", "--quiet")


def trained(*words):
    assert status_of(main, *words) == 0


def test_the_list_needs_no_other_flag(capsys):
    assert status_of(main, "--list-recipes") == 0
    out = capsys.readouterr().out
    assert "vit-b16-imagenet-aug-sam" in out
    assert out.splitlines()[0].split()[:2] == ["recipe", "params"]


def test_flags_override_a_recipe_and_the_run_keeps_both(tmp_path):
    run = RunDirectory(tmp_path / "run")
    words = ("--recipe", "vit-tiny-digits-sam", *SMALL, "--epochs", "1", "--rho", "0.03")
    trained(*words, "--output-dir", run.path)
    config = run.read_config()
    assert config["recipe"] == "vit-tiny-digits-sam"
    assert config["recipe_source"] == "ours"
    training = config["training"]
    assert (training["rho"], training["epochs"], training["lr"]) == (0.03, 1, 0.003)
    assert config["model"]["arguments"]["depth"] == 1
    trained("--resume", "--recipe", "vit-tiny-digits-sam", "--quiet", "--output-dir", run.path)


def test_another_optimizer_takes_its_own_rate(tmp_path):
    run = RunDirectory(tmp_path / "run")
    words = ("--recipe", "vit-tiny-digits", "--opt", "sgd", *SMALL, "--epochs", "1")
    trained(*words, "--output-dir", run.path)
    training = run.read_config()["training"]
    assert (training["opt"], training["lr"], training["weight_decay"]) == ("sgd", 0.1, 5e-4)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--recipe", "vit-tiny-digit"), "did you mean vit-tiny-digits"),
        (("--recipe", "transfer-cifar10", "--data", "digits"), "--model is required"),
        (("--recipe", "vit-tiny-cifar10"), "needs --data-dir DIR, its archive or folder"),
        (
            ("--model", "vit-tiny", "--data", "digits", "--sam-scope", "zebra", "--rho", "0.1"),
            "--sam-scope zebra means no parameter",
        ),
        (
            ("--model", "vit-tiny", "--data", "digits", "--init", "/nowhere.pt"),
            "no such checkpoint: /nowhere.pt",
        ),
        (
            ("--model", "vit-tiny", "--data", "digits", "--eval", "zebra"),
            "expected NAME=DIR, NAME=FILE.json, corruptions or pgd",
        ),
        (
            ("--model", "vit-tiny", "--data", "digits", "--eval", "v2=/nowhere"),
            "no such folder: /nowhere",
        ),
    ],
)
def test_bad_input_is_a_line_and_nothing_is_written(words, line, tmp_path, capsys):
    assert status_of(main, *words, "--epochs", "1", "--output-dir", tmp_path / "run") == 2
    assert line in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_network_goes_on_on_other_data(tmp_path):
    first, second = (RunDirectory(tmp_path / name) for name in ("first", "second"))
    data = write_pictures(tmp_path / "pictures", classes=("a", "b", "c"))
    words = ("--data", "imagefolder", "--data-dir", data, "-b", "4", "--epochs", "1")
    trained("--model", "vit-tiny", *words, *SMALL, "--output-dir", first.path)
    elsewhere = write_pictures(tmp_path / "others", size=16, classes=("x", "y"))
    words = ("--data", "imagefolder", "--data-dir", elsewhere, "-b", "4", "--epochs", "1")
    words = (*words, "--model-args", "patch_size=2", "--train", "head", "--quiet")
    trained("--init", first.path, *words, "--output-dir", second.path)
    spec = second.read_config()["model"]
    assert (spec["name"], spec["arguments"]["depth"]) == ("vit", 1)
    assert (spec["arguments"]["num_classes"], spec["arguments"]["image_size"]) == (2, 16)
    before, after = first.load("last.pt")["model"], second.load("last.pt")["model"]
    same = {
        name
        for name in after
        if before[name].shape == after[name].shape and torch.equal(before[name], after[name])
    }
    assert set(after) - same == {"head.weight", "head.bias", "pos_embed"}


def test_unreadable_pictures_are_skipped_only_if_asked(tmp_path, capsys):
    data = write_pictures(tmp_path / "pictures")
    damaged = data / "train" / "a" / "3.png"
    damaged.write_bytes(b"no picture")
    words = ("--model", "resnet-tiny", "--model-args", "width=4", "--data", "imagefolder")
    words = (*words, "--data-dir", data, "-b", "4", "--epochs", "1", "--output-dir")
    assert status_of(main, *words, tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert f"unreadable picture {damaged}" in error
    assert "--skip-corrupt" in error
    trained(*words, tmp_path / "run", "--skip-corrupt")
    err = capsys.readouterr().err
    assert f"skipped 1 unreadable of 12 pictures: {damaged}" in err
    assert "1 epochs of 11 samples" in err


def test_tensorboard_has_the_metrics(tmp_path):
    import_module("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = RunDirectory(tmp_path / "run")
    words = ("--model", "vit-tiny", "--data", "digits", "--epochs", "2", "--tensorboard", *SMALL)
    trained(*words, "--output-dir", run.path)
    board = EventAccumulator(str(run.path / "tensorboard"))
    board.Reload()
    rows = run.read_metrics()
    for name in ("train_loss", "val_accuracy"):
        events = [(event.step, event.value) for event in board.Scalars(name)]
        assert events == [(k + 1, pytest.approx(row[name], rel=1e-6)) for k, row in enumerate(rows)]
