"""The record of a Tracker is read by the command as a run of landscape-train is."""

import pytest
import torch
import torch.nn.functional as F

from landscape import Tracker
from tests.analyses.written import headline

USER = """
import torch
from torch import nn

def make(width=8):
    return nn.Sequential(nn.Linear(6, width), nn.BatchNorm1d(width), nn.Tanh(), nn.Linear(width, 3))

def data(split):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(24, 6, generator=generator), torch.randint(3, (24,), generator=generator)
"""


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A user's file, and the record of a training by SGD."""
    folder = tmp_path_factory.mktemp("tracked")
    user = folder / "mine.py"
    user.write_text(USER)
    names = {}
    exec(USER, names)  # noqa: S102
    torch.manual_seed(0)
    model, sample = names["make"](), names["data"]("train")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.5)
    tracker = Tracker(folder / "run", sample, every=2, model=f"{user}:make", dataset=f"{user}:data")
    tracker.at(0, model, optimizer)
    for _ in range(6):
        optimizer.zero_grad()
        F.cross_entropy(model(sample[0]), sample[1]).backward()
        optimizer.step()
        tracker.step(model, optimizer)
    return user, tracker, folder / "run"


def test_sharpness_is_what_the_tracker_has_measured(done, tracked, tmp_path):
    user, tracker, run = tracked
    words = ("--model", f"{user}:make", "--data", f"{user}:data")
    done("sharpness", run, *words, "--output-dir", tmp_path, "--format", "none")
    numbers = headline(tmp_path, "run", "sharpness")
    assert numbers["epoch"] == [0, 2, 4, 6]
    for name, column in (("eigenvalue", "lambda_1"), ("gradient_norm", "grad_norm")):
        expected = [row[column] for row in tracker.rows]
        assert numbers[name] == pytest.approx(expected, rel=1e-4)
    assert numbers["edge"] == pytest.approx([2 * 1.5 / 0.2] * 4)


def test_trajectory_and_curves(done, tracked, tmp_path):
    _, tracker, run = tracked
    words = ("--points", "3", "--trust", "--format", "none")
    done("trajectory", run, *words, "--output-dir", tmp_path)
    done("curves", run, "--output-dir", tmp_path, "--format", "png")
    curves = headline(tmp_path, "run", "curves")
    assert curves["train_loss"] == pytest.approx([row["train_loss"] for row in tracker.rows])
    assert curves["trace_stderr"] == pytest.approx([row["trace_stderr"] for row in tracker.rows])
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_a_record_that_does_not_name_its_model_needs_the_flag(done, refused, tracked, tmp_path):
    user, *_ = tracked
    names = {}
    exec(USER, names)  # noqa: S102
    tracker = Tracker(tmp_path / "run", names["data"]("train"), quantities=("grad_norm",))
    tracker.measure(0, names["make"](width=4))
    words = ("--output-dir", tmp_path / "out", "--format", "none")
    assert "say what it is with --model" in refused(
        "norms", tmp_path / "run", "--data", f"{user}:data", *words
    )
    assert not (tmp_path / "out").exists()
    model = ("--model", f"{user}:make", "--model-args", "width=4")
    done("norms", tmp_path / "run", "--data", f"{user}:data", *model, *words)


def test_a_report_of_the_record(done, tracked, tmp_path):
    _, _, run = tracked
    words = ("--only", "curves,norms", "--trust", "--format", "md")
    done("report", run, *words, "--output-dir", tmp_path)
    page = (tmp_path / "report.md").read_text()
    assert "sgd, no SAM" in page
