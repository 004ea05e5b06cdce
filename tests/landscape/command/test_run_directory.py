"""What landscape-train leaves in a run directory, and when it replaces one."""

import json
import math

import pytest
import torch

from landscape.checkpoints.run import METRIC_COLUMNS, RunDirectory
from landscape.models.catalog import ModelSpec
from tests.commands import content
from tests.landscape.command.words import FAST, FILES, SMALL, weights


def assert_plain(value):
    """Tensors and the types that JSON has: what any program may load without running code."""
    if isinstance(value, dict):
        for key, item in value.items():
            assert isinstance(key, str | int)
            assert_plain(item)
    elif isinstance(value, list | tuple):
        for item in value:
            assert_plain(item)
    else:
        assert value is None or type(value) in (torch.Tensor, str, int, float, bool)


def test_the_command_prints_one_result_and_its_progress_to_standard_error(finished):
    folder, process = finished
    assert process.returncode == 0
    row = RunDirectory(folder).read_metrics()[-1]
    assert process.stdout == (
        f"{folder}: epoch 2, train loss {row['train_loss']:.4f}, "
        f"val loss {row['val_loss']:.4f}, val accuracy {row['val_accuracy']:.2f}%\n"
    )
    assert (
        "training vit-tiny (adamw, SAM rho=0.1, seed 0): 2 epochs of 1,442 samples"
        in process.stderr
    )
    assert "epoch 2: loss" in process.stderr


def test_the_run_directory(finished):
    folder, _ = finished
    assert set(content(folder)) == FILES
    config = json.loads((folder / "config.json").read_text())
    assert set(config) == {
        "recipe",
        "recipe_source",
        "processes",
        "samples_per_perturbation",
        "model_name",
        "model",
        "num_parameters",
        "data",
        "data_facts",
        "training",
        "versions",
        "git_commit",
        "created",
    }
    assert config["samples_per_perturbation"] == config["training"]["batch_size"] == 256
    assert config["model_name"] == "vit-tiny"
    assert config["model"] == {
        "name": "vit",
        "arguments": {
            "image_size": 8,
            "patch_size": 2,
            "channels": 1,
            "dim": 16,
            "depth": 1,
            "heads": 4,
            "mlp_dim": 16,
            "num_classes": 10,
            "dropout": 0.1,
        },
    }
    assert config["data"]["data"] == "digits"
    assert config["data_facts"] == {"image_size": 8, "channels": 1, "num_classes": 10}
    training = config["training"]
    assert training["epochs"] == 2
    assert training["batch_size"] == 256
    assert training["rho"] == 0.1
    assert training["opt"] == "adamw"
    assert (training["lr"], training["weight_decay"]) == (1e-3, 0.1)
    assert training["augment"] == "none"
    assert {"python", "torch", "numpy", "loss-landscape-toolkit"} <= set(config["versions"])
    # The model and its number of parameters can be had from the configuration alone.
    model = ModelSpec(config["model"]["name"], config["model"]["arguments"]).build()
    assert config["num_parameters"] == sum(p.numel() for p in model.parameters())
    model.load_state_dict(weights(folder))


def test_the_metrics(finished):
    lines = (finished[0] / "metrics.csv").read_text().splitlines()
    assert lines[0] == ",".join(METRIC_COLUMNS)
    assert lines[0] == (
        "epoch,train_loss,train_error,val_loss,val_accuracy,lr,grad_norm,seconds,rho,"
        "surrogate_gap,images_per_second"
    )
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]
    assert all(math.isfinite(float(cell)) for line in lines[1:] for cell in line.split(","))


def test_checkpoints_hold_nothing_but_tensors_and_plain_types(finished):
    folder, _ = finished
    for name, keys in (
        ("last.pt", {"model", "optimizer", "epoch", "metrics"}),
        ("best.pt", {"model", "epoch"}),
    ):
        state = torch.load(folder / name, weights_only=True)
        assert set(state) == keys
        assert_plain(state)
    assert torch.load(folder / "last.pt", weights_only=True)["epoch"] == 2


def test_the_options_reach_the_training(train, tmp_path):
    status, _, _ = train(
        *("--model", "resnet-tiny", "--model-args", "width=4", "layers=1,1", "--data", "digits"),
        *("--opt", "sgd", "--lr", "0.02", "--momentum", "0.5", "--weight-decay", "0.01"),
        *("--schedule", "linear", "--warmup-epochs", "0", "--clip", "1", "--augment", "crop-flip"),
        *("--epochs", "1", "--batch-size", "512", "--seed", "3", "--output-dir", tmp_path / "run"),
    )
    assert status == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["model"]["arguments"]["layers"] == [1, 1]
    assert config["training"]["augment"] == "crop-flip"
    optimizer = RunDirectory(tmp_path / "run").load("last.pt")["optimizer"]
    kernels, rest = optimizer["param_groups"]
    assert (kernels["momentum"], kernels["weight_decay"], rest["weight_decay"]) == (0.5, 0.01, 0)
    assert kernels["lr"] == pytest.approx(0.02 * 0.5)  # the second of two steps of a line to 0


def test_a_run_is_not_overwritten(refused, finished):
    folder, _ = finished
    before = content(folder)
    message = refused(*FAST, "--output-dir", folder)
    assert "already holds a run" in message
    assert "--resume" in message
    assert "--force" in message
    assert content(folder) == before


def test_a_run_whose_configuration_is_gone_is_not_overwritten(refused, copied):
    (copied / "config.json").unlink()
    before = content(copied)
    assert "last.pt" in refused(*FAST, "--output-dir", copied)
    assert content(copied) == before


def test_a_folder_with_other_things_in_it_will_do(train, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert train(*SMALL, "--epochs", "1", "-b", "512", "--output-dir", tmp_path)[0] == 0
    assert set(content(tmp_path)) == FILES | {"notes.txt"}


def test_force_replaces_a_run(train, copied, finished):
    status, out, _ = train(
        *SMALL, "--epochs", "1", "-b", "512", "--seed", "9", "--output-dir", copied, "--force"
    )
    assert status == 0
    assert f"{copied}: epoch 1, " in out
    assert set(content(copied)) == FILES
    assert len(RunDirectory(copied).read_metrics()) == 1
    assert RunDirectory(copied).read_config()["training"]["seed"] == 9
    assert not torch.equal(weights(copied)["head.weight"], weights(finished[0])["head.weight"])
