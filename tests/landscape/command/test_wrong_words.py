"""What is wrong on the command line is one line, and nothing is written."""

import pytest

from tests.commands import content
from tests.landscape.command.words import FAST

HUGE = str(10**20)
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
    "128 bits": (("--epochs", HUGE), "--epochs has to be at most 9223372036854775807 in size"),
    "a batch of 128 bits": (("--batch-size", HUGE), "--batch-size has to be at most 9223372036"),
    "a seed of 128 bits": (("--seed", HUGE), "--seed has to be at most 9223372036854775807"),
    "seeds of 128 bits": (("--seeds", HUGE, "1"), "argument --seeds: expected a number of at most"),
    "a size of 128 bits": (
        ("--model-args", f"dim={HUGE}"),
        "expected a number of at most 92233720",
    ),
    "overflowing rate": (("--lr", "1e38"), "--lr has to be a finite number of at most 1e+19"),
    "overflowing rho": (("--rho", "1e38"), "--rho has to be a finite number of at most 1e+19"),
    "overflowing decay": (("--weight-decay", "1e39"), "--weight-decay has to be a finite number"),
    "unstable momentum": (
        ("--momentum", "5"),
        "--momentum has to be at least 0 and below 1, got 5",
    ),
    "parts of nothing": (("--accumulate", "1000"), "--accumulate 1000 divides a batch into more"),
    "endless RandAugment": (("--randaugment", "101", "2"), "whole number of layers, 100 at most"),
    "a device without values": (("--device", "meta"), "--device meta is not usable here"),
    "negative depth": (("--model-args", "depth=-1"), "--model-args depth has to be a whole number"),
    "no pixels": (("--model-args", "image_size=0"), "--model-args image_size has to be a whole"),
    "ten million blocks": (("--model-args", f"depth={10**7}"), "10,000,000 blocks would take "),
    "wide": (("--model-args", "dim=1000000000"), " weights in 4 blocks would take "),
    "pictures of a terabyte": (
        ("--data", "cifar10", "--data-dir", ".", "--image-size", "1000000"),
        "a picture with --image-size 1000000 would take 12 TB of memory",
    ),
    "mean alone": (("--mean", "0.5"), "--mean and --std have to be given together"),
    "means": (("--mean", "1", "2", "3", "--std", "1"), "--mean and --std take 1 or 1 numbers"),
}
UNTRAINABLE = """\
from torch import nn

class Twice(nn.Sequential):
    def forward(self, x):
        x = super().forward(x)
        return x, x

class Nothing(nn.Sequential):
    def forward(self, x):
        super().forward(x)

def layers():
    return nn.Flatten(), nn.Linear(64, 10)

def twice():
    return Twice(*layers())

def nothing():
    return Nothing(*layers())

def frozen():
    return nn.Sequential(*layers()).requires_grad_(False)

def weightless():
    return nn.Sequential(nn.Flatten())

def no_module():
    return 1
"""


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


def test_a_folder_has_a_name(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "argument --output-dir: expected a folder, got an empty" in refused(
        *FAST, "--output-dir", ""
    )
    assert "File name too long" in refused(*FAST, "--output-dir", "r" * 300)
    assert content(tmp_path) == {}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("twice", "returns logits (N, classes), a single tensor, which "),
        ("nothing", "returns logits (N, classes), a single tensor, which "),
        ("frozen", " has no parameter that can be trained"),
        ("weightless", " has no parameter that can be trained"),
        ("no_module", "has to return a torch.nn.Module, got int"),
    ],
)
def test_a_model_that_can_not_be_trained(refused, tmp_path, function, message):
    file = tmp_path / "models.py"
    file.write_text(UNTRAINABLE)
    words = ("--data", "digits", "--epochs", "1", "--output-dir", tmp_path / "run")
    assert message in refused("--model", f"{file}:{function}", *words)
    left = {path for path in tmp_path.iterdir() if path.name != "__pycache__"}
    assert left == {file}


@pytest.mark.parametrize("name", ["evaluation.json", "ema.pt", "config.json", "epochs/0001.pt"])
def test_a_file_of_a_users_own_is_not_overwritten(refused, tmp_path, name):
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("mine")
    assert "already holds a run" in refused(*FAST, "--output-dir", tmp_path)
    assert content(tmp_path) == {name: b"mine"}
