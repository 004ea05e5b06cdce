"""metrics.csv with flipped bytes and edits: numbers that can be meant, or one line."""

import math

import pytest

from analyses.cli import main as plot
from landscape.checkpoints.run import METRICS, RunDirectory
from landscape.cli import main as train
from landscape.errors import InputError
from tests.commands import assert_one_line, content, status_of
from tests.fuzz.damage import edits, flips, truncations
from tests.fuzz.outcomes import CASES, outcomes_of


@pytest.mark.parametrize("damage", [flips, edits, truncations])
def test_damaged_bytes_are_read_or_told_in_one_line(run, damage):
    directory, file = RunDirectory(run), run / METRICS
    outcomes = outcomes_of(file, damage(file.read_bytes(), CASES, seed=1), directory.read_metrics)
    outcomes.assert_within_bounds()


def test_a_file_that_is_cut_off_anywhere_is_never_read_as_another_number(run):
    directory, file = RunDirectory(run), run / METRICS
    rows = directory.read_metrics()
    outcomes = outcomes_of(
        file,
        truncations(file.read_bytes(), CASES, seed=2),
        directory.read_metrics,
        is_same=lambda read: read == rows[: len(read)],
    )
    outcomes.assert_none("other", "failed")


HEADER = b"epoch,val_accuracy,lr\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "its last line is cut short"),
        (b"epoch,epoch\n1,1\n", "name the columns, each once, epoch among them"),
        (b"lr\n1\n", "name the columns, each once, epoch among them"),
        (HEADER + b"1,50,0.1\n2,50\n", "line 3 has 2 values for 3 columns"),
        (HEADER + b"1,50,o.1\n", "line 2 has 'o.1' for lr, expected a number"),
        (HEADER + b"1,50,1_0\n", "line 2 has '1_0' for lr, expected a number"),
        (HEADER + b"1,50,1e999\n", "expected a number that is not too large"),
        (HEADER + b"1,50,-0.1\n", "line 2 has '-0.1' for lr, expected no negative number"),
        (HEADER + b"1,510,0.1\n", "line 2 has '510' for val_accuracy, expected percent"),
        (HEADER + b"1,50,0.1\n1,50,0.1\n", "line 3 is of epoch 1, expected .* above 1"),
        (HEADER + b"1.5,50,0.1\n", "line 2 is of epoch 1.5, expected a whole number"),
        (HEADER + b"nan,50,0.1\n", "line 2 is of epoch nan"),
        (HEADER + b"1,50,\xff\n", "is no text in UTF-8"),
    ],
)
def test_the_line_and_what_was_expected_are_named(tmp_path, text, message):
    (tmp_path / METRICS).write_bytes(text)
    with pytest.raises(InputError, match=f"{METRICS} is damaged: .*{message}") as caught:
        RunDirectory(tmp_path).read_metrics()
    assert "\n" not in str(caught.value)


def test_what_is_not_known_and_empty_lines_are_no_damage(tmp_path):
    (tmp_path / METRICS).write_bytes(HEADER + b"1,nan,inf\n\n2,99.9,1e-5\n")
    first, second = RunDirectory(tmp_path).read_metrics()
    assert math.isnan(first["val_accuracy"])
    assert first["lr"] == math.inf
    assert second == {"epoch": 2.0, "val_accuracy": 99.9, "lr": 1e-5}


@pytest.fixture
def damaged(run):
    file = run / METRICS
    file.write_bytes(file.read_bytes().replace(b"2,", b"2,x", 1))
    return run


def test_a_resumed_training_leaves_a_damaged_file_as_it_is(damaged, capsys):
    before = content(damaged)
    assert status_of(train, "--resume", "--output-dir", damaged) == 2
    error = capsys.readouterr().err
    assert_one_line(error, "landscape-train")
    assert "metrics.csv is damaged: line" in error
    assert content(damaged) == before
    (damaged / METRICS).unlink()  # as the message says
    assert status_of(train, "--resume", "--output-dir", damaged, "--quiet") == 0
    assert len(RunDirectory(damaged).read_metrics()) == 2


def test_what_is_measured_on_the_weights_goes_on_without(damaged, tmp_path, capsys):
    folder = tmp_path / "figures"
    words = ("report", damaged, "--only", "curves,norms", "--samples", "32")
    assert status_of(plot, *words, "--output-dir", folder) == 0
    told = capsys.readouterr().err
    assert "no curves: " in told
    assert "metrics.csv is damaged: line" in told
    assert list(folder.rglob("norms.h5"))
    assert not list(folder.rglob("curves.h5"))
    assert status_of(plot, "curves", damaged, "--output-dir", folder) == 2
    assert_one_line(capsys.readouterr().err, "landscape-plot")
