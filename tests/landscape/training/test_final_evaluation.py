"""Accuracies on sets beside the validation data."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from landscape.cli import main
from landscape.data.corruptions.catalog import FAMILIES
from landscape.data.samples import Normalization, TensorSamples
from landscape.data.sources.evaluation_sets import read_sets
from landscape.data.sources.imagefolder import image_folder
from landscape.errors import InputError
from landscape.training.final_evaluation import FinalEvaluation
from tests.commands import status_of, write_pictures

CPU = torch.device("cpu")
CLASSES = ("a", "b", "c")


def pictures_of(folder, levels):
    """A folder of pictures of one grey level each; the level is the picture's content."""
    folder.mkdir(parents=True)
    for k, level in enumerate(levels):
        Image.fromarray(np.full((8, 8, 3), level, dtype=np.uint8)).save(folder / f"{k}.png")


class ByLevel(torch.nn.Module):
    """Says class 0, 1 or 2 for dark, middling and bright pictures; then the next one below."""

    def forward(self, inputs):
        level = inputs.mean((1, 2, 3)) * 255
        centres = torch.tensor([30.0, 120.0, 220.0])
        return -(level.unsqueeze(1) - centres).abs()


@pytest.fixture
def validation(tmp_path):
    for name, level in zip(CLASSES, (30, 120, 220), strict=True):
        pictures_of(tmp_path / "data" / "val" / name, [level] * 2)
    return image_folder(tmp_path / "data", "test", 8, Normalization((0.0,), (1.0,)), 0)


def evaluator(validation):
    return FinalEvaluation(ByLevel(), validation, CPU, 8, 1.0, 4 / 255)


def test_a_folder_of_some_of_the_classes(validation, tmp_path):
    pictures_of(tmp_path / "r" / "b", [120, 120, 35])
    pictures_of(tmp_path / "r" / "c", [220, 40])
    score = evaluator(validation).scores([f"r={tmp_path / 'r'}"])["r"]
    assert score["accuracy"] == 60.0
    assert score["samples"] == 5
    # Without class a, what is dark is nearest to b.
    assert score["among_present"] == 80.0
    assert score["standard_error"] == pytest.approx(100 * (0.6 * 0.4 / 5) ** 0.5)


def test_classes_by_number(validation, tmp_path):
    for number, level in enumerate((30, 120, 30)):
        pictures_of(tmp_path / "v2" / str(number), [level])
    score = evaluator(validation).scores([f"v2={tmp_path / 'v2'}"])["v2"]
    assert score["accuracy"] == pytest.approx(200 / 3)
    assert score["among_present"] is None


def test_corruptions_on_disk(validation, tmp_path):
    for severity, level in (("1", 30), ("2", 220)):
        pictures_of(tmp_path / "c" / "fog" / severity / "a", [level, 30])
    score = evaluator(validation).scores([f"c={tmp_path / 'c'}"])["c"]
    assert {name: of_set["accuracy"] for name, of_set in score["sets"].items()} == {
        "c/fog/1": 100.0,
        "c/fog/2": 50.0,
    }
    assert score["accuracy"] == 75.0
    # The same two pictures each time: right in both, and in one of two.
    assert score["standard_error"] == pytest.approx(100 * np.std([1.0, 0.5], ddof=1) / 2**0.5)


def test_corruptions_of_other_pictures(validation, tmp_path):
    """Nobody knows how they overlap: the largest error that their mean can have."""
    for severity, levels in (("1", [30, 30]), ("2", [220, 30, 30, 30])):
        pictures_of(tmp_path / "c" / "fog" / severity / "a", levels)
    score = evaluator(validation).scores([f"c={tmp_path / 'c'}"])["c"]
    assert score["accuracy"] == 87.5
    # Both of two are right, of which the error is 1 / n, and three of four.
    errors = 1 / 2, (0.75 * 0.25 / 4) ** 0.5
    assert score["standard_error"] == pytest.approx(100 * np.mean(errors))


def test_an_answer_beyond_the_classes_of_the_data_is_wrong(validation, tmp_path):
    class Beyond(ByLevel):
        def forward(self, inputs):
            return torch.cat([super().forward(inputs), torch.ones(len(inputs), 1)], 1)

    pictures_of(tmp_path / "v2" / "c", [220, 220])
    beyond = FinalEvaluation(Beyond(), validation, CPU, 8, 1.0, 4 / 255)
    score = beyond.scores([f"v2={tmp_path / 'v2'}"])["v2"]
    assert score["accuracy"] == 0.0
    assert score["among_present"] == 100.0


def test_corrupted_pictures_are_cropped_already(tmp_path):
    """Of the size of the network they are taken whole, whatever is cropped from others."""
    picture = np.full((8, 8, 3), 30, dtype=np.uint8)
    picture[0] = 255
    for name in ("data/val/a", "data/val/b", "data/val/c", "c/fog/1/a"):
        (tmp_path / name).mkdir(parents=True)
        Image.fromarray(picture).save(tmp_path / name / "0.png")
    cropped = image_folder(tmp_path / "data", "test", 8, Normalization((0.0,), (1.0,)), 0, 0.5)
    (only_set,) = read_sets("c", tmp_path / "c", cropped, 8, 0.5)
    assert torch.equal(
        (255 * only_set.samples.fetch(torch.tensor([0]))[0]).round().byte(),
        torch.from_numpy(picture).permute(2, 0, 1),
    )


@pytest.mark.parametrize("word", ["corruptions", "pgd"])
def test_what_is_no_picture_is_refused_before_training(word):
    samples = TensorSamples(torch.rand(4, 5), torch.tensor([0, 1, 2, 0]), CLASSES)
    with pytest.raises(InputError, match="is for pictures, not for inputs of shape"):
        FinalEvaluation(ByLevel(), samples, CPU, 0, 1.0, 4 / 255).check([word])


def test_folders_are_read_in_colour(tmp_path):
    grey = TensorSamples(torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0]), CLASSES)
    with pytest.raises(InputError, match="pictures are read in colour"):
        read_sets("v2", tmp_path, grey, 8, 1.0)


def test_reassessed_labels(validation, tmp_path):
    """In the order of file names, as published; one without an answer is left out."""
    names = sorted(range(6), key=lambda k: validation.paths[k].name)
    answers = [[int(validation.targets[k])] for k in names]
    answers[0], answers[1] = [], [0, 1, 2]
    answers[2] = [(answers[2][0] + 1) % 3]
    file = tmp_path / "real.json"
    file.write_text(json.dumps(answers))
    score = evaluator(validation).scores([f"real={file}"])["real"]
    assert score["samples"] == 5
    assert score["accuracy"] == 80.0


def test_corruptions_made_here(validation):
    score = evaluator(validation).scores(["corruptions"])["corruptions"]
    assert set(score["sets"]) == {f"{name}/{k}" for name in FAMILIES for k in range(1, 6)}
    assert score["sets"]["defocus_blur/1"]["accuracy"] == 100.0
    assert score["sets"]["contrast/5"]["accuracy"] == 100.0  # the mean stays
    assert score["accuracy"] == pytest.approx(
        np.mean([of_set["accuracy"] for of_set in score["sets"].values()])
    )


def test_pgd_moves_what_is_near_a_border():
    """Levels below 75 are a's; the attack reaches 4 levels, less its random start's part."""
    inputs = torch.tensor([30.0, 74.0]).view(2, 1, 1, 1).expand(2, 3, 8, 8) / 255
    samples = TensorSamples(inputs.clone(), torch.zeros(2, dtype=torch.int64), CLASSES)
    for number, accuracy in enumerate((100.0, 0.0)):
        alone = samples.take(torch.tensor([number]))
        assert evaluator(alone).scores(["pgd"])["pgd"]["accuracy"] == accuracy


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("zebra", "expected NAME=DIR, NAME=FILE.json, corruptions or pgd"),
        ("v2=/nowhere", "no such folder: /nowhere"),
    ],
)
def test_words_that_mean_nothing(validation, word, message):
    with pytest.raises(InputError, match=message):
        evaluator(validation).scores([word])


def test_a_folder_in_no_layout(validation, tmp_path):
    pictures_of(tmp_path / "other" / "zebra", [30])
    with pytest.raises(InputError, match="holds neither class folders"):
        read_sets("x", tmp_path / "other", validation, 8, 1.0)


def test_the_command(tmp_path, capsys):
    data = write_pictures(tmp_path / "pictures")
    words = ("--model", "resnet-tiny", "--model-args", "width=4", "--data", "imagefolder")
    words = (*words, "--data-dir", data, "--epochs", "1", "-b", "4", "--quiet")
    run = tmp_path / "run"
    held = f"held={data / 'val'}"
    assert status_of(main, *words, "--output-dir", run, "--eval", held, "pgd") == 0
    scores = json.loads((run / "evaluation.json").read_text())
    assert set(scores) == {"held", "pgd"}
    out = capsys.readouterr().out
    assert f"held: accuracy {scores['held']['accuracy']:.2f}% +- " in out
    # What was held out is what it was validated on.
    assert f"val accuracy {scores['held']['accuracy']:.2f}%" in out
