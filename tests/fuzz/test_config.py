"""config.json with flipped bytes, edits and wrong types: one line, or values that can be meant."""

import json
import os

import pytest

from analyses.curves.measure import measure_run
from analyses.curves.settings import Settings
from landscape.checkpoints.load import load_checkpoint
from landscape.checkpoints.run import CONFIG, METRICS, RunDirectory
from landscape.cli import main as train
from landscape.errors import InputError
from landscape.training.command.arguments import build_parser
from landscape.training.command.plan import remembered_plan
from tests.commands import assert_one_line, content, status_of
from tests.fuzz.damage import Damaged, edits, flips, truncations, wrong_types
from tests.fuzz.outcomes import CASES, bounded, outcomes_of


def readers(run):
    """Everything that reads the settings of a run."""
    arguments = build_parser().parse_args(["--resume", "--output-dir", str(run)])

    def read():
        load_checkpoint(run)
        measure_run(run, "a", Settings())
        remembered_plan(RunDirectory(run), arguments)
        return RunDirectory(run).read_config()

    return read


@pytest.mark.parametrize("damage", [flips, edits, truncations])
def test_damaged_bytes_are_read_or_told_in_one_line(run, damage):
    file = run / CONFIG
    outcomes = outcomes_of(file, damage(file.read_bytes(), CASES, seed=1), readers(run))
    outcomes.assert_within_bounds()


def test_wrong_types_are_read_or_told_in_one_line(run):
    file = run / CONFIG
    before = json.loads(file.read_text())
    cases = [
        Damaged(what, json.dumps(tree).encode()) for what, tree in wrong_types(before, CASES, 2)
    ]
    outcomes = outcomes_of(file, cases, readers(run))
    outcomes.assert_within_bounds()
    assert outcomes.counts["refused"] > outcomes.counts["other"]


WRONG = {
    "training.lr": ("training", "lr", [1], "has to be a number or null, got a list of 1"),
    "training.epochs": ("training", "epochs", "20", "has to be a whole number, got the text '20'"),
    "training.nesterov": ("training", "nesterov", 1, "has to be true or false, got 1"),
    "training.opt": ("training", "opt", "lion", "has to be one of adamw, sgd, got the text 'lion'"),
    "training.seed": ("training", "seed", 2**63, "has to be a number of at most 64 bits"),
    "data.crop": ("data", "crop", 0, "has to be at least 0.001, at most 1, got 0"),
    "data.mean": ("data", "mean", ["a"], "has to be a list of numbers, got a list of 1"),
    "model.name": ("model", "name", None, "has to be a text, got null"),
}


@pytest.mark.parametrize("place", WRONG)
def test_the_key_and_what_was_expected_are_named(run, place, capsys):
    section, key, value, message = WRONG[place]
    config = json.loads((run / CONFIG).read_text())
    config[section][key] = value
    (run / CONFIG).write_text(json.dumps(config))
    before = content(run)
    assert status_of(train, "--resume", "--output-dir", run) == 2
    error = capsys.readouterr().err
    assert_one_line(error, "landscape-train")
    assert f"{CONFIG} is damaged: {place} {message}" in error
    assert "restore it from a copy" in error
    assert content(run) == before


def with_last(run, key, text):
    """config.json with one more entry of the top level, as text."""
    whole = (run / CONFIG).read_text().rstrip()
    return f'{whole.removesuffix("}").rstrip()}, "{key}": {text}}}'


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("num_parameters", "NaN", "num_parameters has to be a finite number"),
        ("extra", "1e999", "extra has to be a finite number, got inf"),
        ("created", '""', "the key 'created' is there twice"),
        ("extra", "[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("extra", "9" * 10_000, "config.json is damaged: Exceeds the limit"),
        ("extra", '"\\u0000"', "has to be a text without control characters"),
    ],
)
def test_texts_that_json_allows_and_no_run_has(run, key, text, message):
    changed = with_last(run, key, text)
    if key not in ("created",):
        config = json.loads((run / CONFIG).read_text())
        config.pop(key, None)
        (run / CONFIG).write_text(json.dumps(config))
        changed = with_last(run, key, text)
    (run / CONFIG).write_text(changed)
    with pytest.raises(InputError, match=message), bounded():
        RunDirectory(run).read_config()


@pytest.mark.parametrize("name", [CONFIG, METRICS])
def test_what_is_no_file_of_text_is_told_at_once(run, name):
    directory = RunDirectory(run)
    read = directory.read_config if name == CONFIG else directory.read_metrics
    (run / name).unlink()
    (run / name).mkdir()
    with pytest.raises(InputError, match=f"{name} is a folder"), bounded(5):
        read()
    (run / name).rmdir()
    os.mkfifo(run / name)
    with pytest.raises(InputError, match=f"{name} is no regular file"), bounded(5):
        read()
    (run / name).unlink()
    with (run / name).open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(InputError, match=f"{name} has 1,073,741,824 bytes"), bounded(5, 2**28):
        read()


def test_sizes_that_would_take_all_memory_are_refused_before(run):
    config = json.loads((run / CONFIG).read_text())
    config["model"]["arguments"]["dim"] = 2**20
    (run / CONFIG).write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"can't hold the [\d,]+ parameters"), bounded():
        load_checkpoint(run)
