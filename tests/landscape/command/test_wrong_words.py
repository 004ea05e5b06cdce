"""What is wrong on the command line is one line, and nothing is written."""

import pytest

from tests.commands import content
from tests.landscape.command.words import FAST

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
