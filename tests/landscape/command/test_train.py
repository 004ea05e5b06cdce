import json
import math
import shutil
import signal
import time

import pytest
import torch

from landscape import cli
from landscape.checkpoints.run import METRIC_COLUMNS, RunDirectory
from landscape.models.catalog import ModelSpec
from landscape.training import loop
from landscape.training.command import train as train_module
from tests.commands import TIMEOUT, assert_one_line, content, run, start, status_of, write_pictures

FILES = {"config.json", "metrics.csv", "last.pt", "best.pt"}
SMALL = ("--model", "vit-tiny", "--model-args", "depth=1", "dropout=0.1", "--data", "digits")
FAST = (*SMALL, "--epochs", "2", "-b", "256", "--rho", "0.1")

USER_FILE = """\
import torch
from torch import nn

def net(width=6, num_classes=3):
    layers = nn.Linear(4, width), nn.ReLU(), nn.Linear(width, num_classes)
    return nn.Sequential(nn.Flatten(), *layers)

def tokens():
    return nn.Linear(2, 3)

def broken_net():
    return 1 / 0

def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 3

def regression():
    inputs, _ = data()
    return inputs, inputs.flatten(1).sum(1)

def unlike():
    inputs, targets = data()
    return {"train": (inputs, targets), "test": (inputs, targets + 7)}
"""


@pytest.fixture
def train(capsys):
    """Run the command in this process; returns (status, standard output, standard error)."""

    def train(*words):
        status = status_of(cli.main, *words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return train


@pytest.fixture
def refused(train):
    """Run the command, which has to exit with 2 and one line; returns the line."""

    def refused(*words):
        status, out, err = train(*words)
        assert (status, out) == (2, ""), err
        assert_one_line(err, "landscape-train")
        return err

    return refused


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The run of a real command that trained for two epochs, and what the command said."""
    folder = tmp_path_factory.mktemp("finished") / "some" / "run"
    return folder, run("landscape-train", *FAST, "--output-dir", folder)


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished run that a test may change."""
    return shutil.copytree(finished[0], tmp_path / "run")


@pytest.fixture
def user_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(USER_FILE)
    return path


def weights(folder, name="last.pt"):
    return RunDirectory(folder).load(name)["model"]


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for key in one:
        assert torch.equal(one[key], other[key]), key


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
    assert "training vit-tiny (adamw, SAM rho=0.1): 2 epochs of 1,442 samples" in process.stderr
    assert "epoch 2: loss" in process.stderr


def test_the_run_directory(finished):
    folder, _ = finished
    assert set(content(folder)) == FILES
    config = json.loads((folder / "config.json").read_text())
    assert set(config) == {
        "recipe",
        "recipe_source",
        "processes",
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
    assert config["model_name"] == "vit-tiny"
    assert config["model"] == {
        "name": "vit",
        "arguments": {
            "image_size": 8,
            "patch_size": 2,
            "channels": 1,
            "dim": 48,
            "depth": 1,
            "heads": 4,
            "mlp_dim": 96,
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


def interrupt_in_epoch(number, patch):
    """Ctrl-C while the epoch is validated."""
    left, evaluate = [number], loop.evaluate

    def interrupted(*words):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return evaluate(*words)

    patch.setattr(loop, "evaluate", interrupted)


@pytest.mark.parametrize(
    ("epoch", "again"),
    [(1, ()), (2, ()), (2, FAST), (2, ("--rho", "0.1", "--quiet"))],
    ids=["first epoch", "second", "all flags again", "some flags again"],
)
def test_an_interrupted_run_is_resumed_to_the_same_bits(
    train, finished, tmp_path, monkeypatch, epoch, again
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt_in_epoch(epoch, patch)
        status, out, err = train(*FAST, "--output-dir", folder)
    assert (status, out) == (130, "")
    assert "landscape-train: interrupted; the same command with --resume continues" in err
    assert "Traceback" not in err
    assert len(RunDirectory(folder).read_metrics()) == epoch - 1
    status, out, _ = train(*again, "--resume", "--output-dir", folder)
    assert status == 0
    assert out.partition(": ")[2] == finished[1].stdout.partition(": ")[2]
    assert_same_weights(weights(folder), weights(finished[0]))
    assert_same_weights(weights(folder, "best.pt"), weights(finished[0], "best.pt"))


KEEPING = (*SMALL, "--epochs", "3", "-b", "512", "--save-every", "2")
KEPT = {"epochs/0000.pt", "epochs/0002.pt", "epochs/0003.pt"}


def test_epochs_are_kept_also_over_an_interruption(train, tmp_path, monkeypatch):
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    assert train(*KEEPING, "--output-dir", unbroken)[0] == 0
    assert set(content(unbroken)) == FILES | KEPT
    assert RunDirectory(unbroken).read_config()["training"]["save_every"] == 2
    with monkeypatch.context() as patch:
        interrupt_in_epoch(3, patch)
        assert train(*KEEPING, "--output-dir", broken)[0] == 130
    assert set(content(broken)) == FILES | KEPT - {"epochs/0003.pt"}
    assert train("--resume", "--output-dir", broken)[0] == 0
    assert content(broken / "epochs") == content(unbroken / "epochs")


def test_kept_epochs_belong_to_the_run(train, refused, tmp_path):
    """They are neither overwritten unasked nor mixed with those of the run that replaces it."""
    folder = tmp_path / "run"
    assert train(*KEEPING, "--output-dir", folder)[0] == 0
    for name in FILES:
        (folder / name).unlink()
    before = content(folder)
    assert "already holds a run (epochs)" in refused(*KEEPING, "--output-dir", folder)
    assert content(folder) == before
    words = (*SMALL, "--epochs", "1", "-b", "512", "--output-dir", folder, "--force")
    assert train(*words, "--save-every", "5")[0] == 0
    assert set(content(folder)) == FILES | {"epochs/0000.pt", "epochs/0001.pt"}
    assert train(*words)[0] == 0
    assert {path.name for path in folder.iterdir()} == FILES


def test_a_run_from_before_epochs_could_be_kept_is_resumed(train, refused, copied):
    config = RunDirectory(copied).read_config()
    assert config["training"].pop("save_every") == 0
    RunDirectory(copied).write_config(config)
    assert train("--resume", "--output-dir", copied)[0] == 0
    assert "--save-every was 0, is 1" in refused(
        "--save-every", "1", "--resume", "--output-dir", copied
    )


def test_resuming_a_finished_run_says_its_result_again(train, copied, finished):
    before = (copied / "last.pt").read_bytes()
    status, out, _ = train("--resume", "--output-dir", copied)
    assert status == 0
    assert out.partition(": ")[2] == finished[1].stdout.partition(": ")[2]
    assert (copied / "last.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "3"), "--epochs was 2, is 3"),
        (("--rho", "0"), "--rho was 0.1, is 0.0"),
        (("-b", "64"), "--batch-size was 256, is 64"),
        (("--seed", "1"), "--seed was 0, is 1"),
        (("--opt", "sgd"), "--opt was adamw, is sgd"),
        (("--lr", "0.5"), "--lr was"),
        (("--augment", "crop-flip"), "--augment was none, is crop-flip"),
        (("--model", "mixer-tiny"), "--model was vit-tiny, is mixer-tiny"),
        (("--model-args", "depth=1", "dropout=0.2"), "--model-args dropout was 0.1, is 0.2"),
        (("--model-args", "drop_path=0.2"), "--model-args drop_path was None, is 0.2"),
        (("--data", "imagefolder"), "--data was digits, is imagefolder"),
        (("--mean", "0.5", "--std", "0.5"), "--mean was [], is [0.5]; --std was [], is [0.5]"),
        (("--rho", "0.2", "--epochs", "2", "--clip", "1"), "--rho was 0.1, is 0.2; --clip was 0"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(refused, finished, words, message):
    folder, _ = finished
    before = content(folder)
    assert message in refused(*words, "--resume", "--output-dir", folder)
    assert content(folder) == before


def test_the_default_of_a_setting_may_be_spelled_out(train, copied):
    """--lr 0.001 is what the run was trained with; augmentation auto is none for digits."""
    status, _, err = train(
        *("--lr", "0.001", "--weight-decay", "0.1", "--augment", "auto"),
        *("--resume", "--output-dir", copied),
    )
    assert status == 0, err


def test_there_has_to_be_a_run_to_resume(refused, tmp_path):
    assert "nothing to resume" in refused("--resume", "--output-dir", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_resume_and_force_exclude_each_other(refused, finished):
    before = content(finished[0])
    assert "exclude each other" in refused("--resume", "--force", "--output-dir", finished[0])
    assert content(finished[0]) == before


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_checkpoint_is_not_resumed(refused, copied, share):
    whole = (copied / "last.pt").read_bytes()
    (copied / "last.pt").write_bytes(whole[: int(share * len(whole))])
    before = content(copied)
    assert f"{copied / 'last.pt'} is truncated" in refused("--resume", "--output-dir", copied)
    assert content(copied) == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda _: "[]", "no model and data entries"),
        (lambda text: text.replace('"training"', '"other"'), "training"),
        (lambda text: text.replace('"model_name"', '"other"'), "model_name"),
    ],
    ids=["half", "list", "no training", "no name"],
)
def test_a_damaged_configuration_is_not_resumed(refused, copied, damage, message):
    config = copied / "config.json"
    config.write_text(damage(config.read_text()))
    before = content(copied)
    line = refused("--resume", "--output-dir", copied)
    assert "config.json" in line
    assert message in line
    assert content(copied) == before


WRONG = {
    "no epochs": (("--epochs", "0"), "--epochs has to be positive, got 0"),
    "negative epochs": (("--epochs", "-3"), "--epochs has to be positive, got -3"),
    "epochs in words": (("--epochs", "many"), "argument --epochs: invalid int value: 'many'"),
    "empty batches": (("--batch-size", "0"), "--batch-size has to be positive, got 0"),
    "negative interval": (("--save-every", "-1"), "--save-every can't be negative, got -1"),
    "negative rho": (("--rho", "-1"), "--rho can't be negative, got -1"),
    "nan rho": (("--rho", "nan"), "--rho "),
    "no rate": (("--lr", "0"), "--lr has to be positive, got 0"),
    "infinite rate": (("--lr", "inf"), "--lr "),
    "endless warm-up": (("--warmup-epochs", "inf"), "--warmup-epochs "),
    "optimizer": (("--opt", "adam"), "argument --opt: invalid choice: 'adam'"),
    "device": (("--device", "banana"), "--device banana is not usable here"),
    "flag": (("--learning-rate", "1"), "unrecognized arguments: --learning-rate 1"),
    "abbreviation": (("--epoch", "1"), "unrecognized arguments: --epoch 1"),
    "model": (("--model", "vit-tinny"), "unknown model 'vit-tinny'; did you mean vit-tiny?"),
    "user model": (("--model", "absent.py:net"), "/absent.py (expected FILE.py:FUNCTION"),
    "family": (("--model", "vit"), "--model vit also needs --model-args"),
    "no key": (("--model-args", "depth"), "expected KEY=VALUE, got 'depth'"),
    "key": (("--model-args", "layers=1,1"), "--model vit takes no argument layers"),
    "heads": (("--model-args", "heads=5"), "dim=48 is not divisible by heads=5"),
    "patches": (("--model-args", "patch_size=3"), "patches of 3 pixels don't tile an image of 8"),
    "classes": (("--model-args", "num_classes=5"), "classes numbered 0 to 9, the model 5 outputs"),
    "image size": (("--model-args", "image_size=16"), "does not take inputs of shape (1, 8, 8)"),
    "data": (("--data", "digit"), "unknown data: 'digit'; did you mean digits?"),
    "no folder": (("--data", "imagefolder"), "--data imagefolder needs --data-dir DIR"),
    "absent folder": (
        ("--data", "imagefolder", "--data-dir", "absent"),
        "no such folder: --data-dir",
    ),
    "pixels": (("--image-size", "16"), "digits are 8x8 pixels; --image-size 16 is not"),
    "mean alone": (("--mean", "0.5"), "--mean and --std have to be given together"),
    "means": (("--mean", "1", "2", "3", "--std", "1"), "--mean and --std take 1 or 1 numbers"),
}


@pytest.mark.parametrize(("words", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_before_anything_is_written(refused, tmp_path, words, message):
    folder = tmp_path / "run"
    assert message in refused(*FAST, *words, "--output-dir", folder)
    # The corrected command can be given without --force.
    assert content(tmp_path) == {}


@pytest.mark.parametrize(("words", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_before_a_run_is_replaced(refused, copied, words, message):
    before = content(copied)
    assert message in refused(*FAST, *words, "--force", "--output-dir", copied)
    assert content(copied) == before


def test_a_model_and_an_output_folder_are_needed(refused, tmp_path):
    assert "--model is required" in refused("--data", "digits", "--output-dir", tmp_path / "run")
    assert "none was named" in refused("--model", "vit-tiny", "--output-dir", tmp_path / "run")
    assert "required: --output-dir" in refused(*FAST)
    assert content(tmp_path) == {}


@pytest.mark.parametrize("below", [".", "run", "a/run"])
def test_a_file_where_the_run_should_be(refused, tmp_path, below):
    place = tmp_path / "file"
    place.write_text("mine")
    assert f"cannot write to {place / below}" in refused(*FAST, "--output-dir", place / below)
    assert content(tmp_path) == {"file": b"mine"}


def test_the_model_is_made_for_the_pictures(train, tmp_path, monkeypatch):
    """A relative folder is remembered whole, so that the run is at home anywhere."""
    write_pictures(tmp_path / "pictures", size=12)
    monkeypatch.chdir(tmp_path)
    words = ("--model", "vit-tiny", "--data", "imagefolder", "--data-dir", "pictures")
    assert train(*words, "--epochs", "2", "-b", "4", "--output-dir", "run")[0] == 0
    config = RunDirectory(tmp_path / "run").read_config()
    assert config["data"]["data_dir"] == str(tmp_path / "pictures")
    assert config["data_facts"] == {"image_size": 12, "channels": 3, "num_classes": 2}
    assert config["training"]["augment"] == "crop-flip"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert train("--resume", "--output-dir", "../run")[0] == 0


def test_held_out_pictures_of_another_size(train, tmp_path):
    """They are brought to the size of the training pictures, for which the model is made."""
    write_pictures(tmp_path / "pictures", size=12)
    (tmp_path / "pictures" / "train").rename(tmp_path / "train")
    shutil.rmtree(tmp_path / "pictures")
    write_pictures(tmp_path / "pictures", size=16)
    shutil.rmtree(tmp_path / "pictures" / "train")
    (tmp_path / "train").rename(tmp_path / "pictures" / "train")
    status, _, err = train(
        *("--model", "vit-tiny", "--data", "imagefolder", "--data-dir", tmp_path / "pictures"),
        *("--epochs", "1", "-b", "4", "--output-dir", tmp_path / "run"),
    )
    assert status == 0, err


def test_pictures_that_can_not_be_trained_with(refused, tmp_path):
    root = write_pictures(tmp_path / "pictures")
    words = ("--model", "resnet-tiny", "--data", "imagefolder", "--data-dir", root)
    words = (*words, "--epochs", "1", "-b", "4", "--output-dir", tmp_path / "run")
    broken = root / "val" / "b" / "1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    assert f"unreadable picture {broken}: " in refused(*words)
    shutil.rmtree(root / "val" / "b")
    assert "different classes: b is in one only" in refused(*words)
    shutil.rmtree(root / "val")
    assert "has no val/ or test/ or validation/ folder" in refused(*words)
    shutil.rmtree(root)
    root.mkdir()
    assert "has no train/ folder" in refused(*words)
    for name in ("train", "val"):
        (root / name / "a").mkdir(parents=True)
    assert f"no pictures in {root / 'train'}" in refused(*words)
    assert not (tmp_path / "run").exists()


def test_a_model_and_data_of_the_users_own(train, user_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, _ = train(
        *("--model", "mine.py:net", "--model-args", "width=9", "--data", "mine.py:data"),
        *("--epochs", "2", "-b", "8", "--output-dir", "run"),
    )
    assert status == 0
    config = RunDirectory(tmp_path / "run").read_config()
    assert config["model"] == {
        "name": f"{user_file}:net",
        "arguments": {"width": 9, "num_classes": 3},
    }
    assert config["data"]["data"] == f"{user_file}:data"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert train("--resume", "--output-dir", "../run")[0] == 0
    same = ("--model", "../mine.py:net", "--data", "../mine.py:data")
    assert train(*same, "--resume", "--output-dir", "../run")[0] == 0


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ("net", "regression", "targets that are class numbers"),
        ("tokens", "data", "logits (N, classes)"),
        ("broken_net", "data", "broken_net failed: ZeroDivisionError"),
        ("net", "absent", "has no function 'absent'"),
        ("net", "unlike", "the validation data has classes numbered 7 to 9, the model 3 outputs"),
    ],
)
def test_a_function_that_does_not_fit(refused, user_file, tmp_path, model, data, message):
    line = refused(
        *("--model", f"{user_file}:{model}", "--data", f"{user_file}:{data}"),
        *("--epochs", "1", "--output-dir", tmp_path / "run"),
    )
    assert message in line
    assert not (tmp_path / "run").exists()


def test_a_training_that_diverges_has_failed(train, tmp_path):
    status, out, err = train(
        *(*SMALL, "--epochs", "1", "-b", "128", "--lr", "1e30", "--warmup-epochs", "0", "--quiet"),
        *("--output-dir", tmp_path / "run"),
    )
    assert (status, out) == (1, "")
    assert_one_line(err, "landscape-train")
    assert "became nan at step 1 (learning rate " in err
    assert "lower --lr or --rho" in err


def test_a_result_that_is_no_number_is_a_failure(train, tmp_path):
    """One step, taken from a sound loss, that leaves no sound network."""
    status, out, err = train(
        *(*SMALL, "--epochs", "1", "-b", "1442", "--lr", "1e30", "--warmup-epochs", "0"),
        *("--quiet", "--output-dir", tmp_path / "run"),
    )
    assert (status, out) == (1, "")
    assert_one_line(err, "landscape-train")


def test_an_error_of_our_own_is_one_line_that_says_how_to_see_more(train, tmp_path, monkeypatch):
    def fail(*_words, **_options):
        raise RuntimeError("first\n  second")

    monkeypatch.setattr(train_module, "train", fail)
    words = (*FAST, "--output-dir", tmp_path / "run")
    status, out, err = train(*words)
    assert (status, out) == (1, "")
    assert err == "landscape-train: error: RuntimeError: first second (--debug shows where)\n"
    status, _, err = train(*words, "--debug", "--force")
    assert status == 1
    assert err.startswith("Traceback (most recent call last):\n")
    assert "in fail" in err


def test_debug_shows_the_traceback_of_wrong_input_too(train, tmp_path):
    words = ("--model", "vit-tinny", "--data", "digits", "--output-dir", tmp_path / "run")
    status, out, err = train(*words, "--debug")
    assert (status, out) == (2, "")
    assert "Traceback (most recent call last):" in err
    assert "InputError: unknown model 'vit-tinny'" in err


def test_quiet_leaves_results_only(train, tmp_path):
    words = (*SMALL, "--epochs", "1", "-b", "512", "--output-dir", tmp_path / "run", "--quiet")
    status, out, err = train(*words)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 1


def test_help_names_every_flag_of_the_contract(train):
    status, out, err = train("--help")
    assert (status, err) == (0, "")
    for flag in (
        *("--model", "--model-args", "--data", "--data-dir", "--image-size", "--mean", "--std"),
        *("--opt", "--rho", "--epochs", "--batch-size", "--lr", "--weight-decay", "--seed"),
        "--save-every",
        *("--device", "--output-dir", "--resume", "--force", "--debug", "--quiet"),
    ):
        assert flag in out


def test_ctrl_c_exits_with_130_and_the_way_to_go_on(tmp_path):
    folder = tmp_path / "run"
    words = (*SMALL, "--epochs", "1000", "-b", "512", "--output-dir", folder)
    with start("landscape-train", *words) as process:
        deadline = time.monotonic() + TIMEOUT
        while not (folder / "last.pt").exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (130, "")
    assert err.endswith(
        "landscape-train: interrupted; "
        "the same command with --resume continues after the last finished epoch\n"
    )
    assert "Traceback" not in err
    assert RunDirectory(folder).load("last.pt")["epoch"] >= 1
    # A write that was under way is a hidden file, which resuming removes.
    assert {name for name in content(folder) if not name.startswith(".")} <= FILES


def test_data_in_double_precision_train_a_network_in_single(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "from torch import nn\n"
        "def data(split):\n"
        "    draw = np.random.default_rng(len(split))\n"
        "    return draw.normal(size=(60, 4)), np.arange(60) % 3\n"
        "def net():\n"
        "    return nn.Linear(4, 3)\n"
    )
    mine = tmp_path / "mine.py"
    words = ("--model", f"{mine}:net", "--data", f"{mine}:data", "--epochs", "1", "-b", "20")
    assert status_of(cli.main, *words, "--quiet", "--output-dir", tmp_path / "run") == 0
    assert "epoch 1" in capsys.readouterr().out


def test_data_without_a_division_are_pointed_out(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def data():\n"
        "    return torch.arange(240.0).view(60, 4) / 240, torch.arange(60) % 3\n"
        "def net():\n"
        "    return torch.nn.Linear(4, 3)\n"
    )
    mine = tmp_path / "mine.py"
    words = ("--model", f"{mine}:net", "--data", f"{mine}:data", "--epochs", "1", "-b", "20")
    assert status_of(cli.main, *words, "--output-dir", tmp_path / "run") == 0
    assert "the same samples for training and validation" in capsys.readouterr().err
