import math
import subprocess
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.objective.objective import Objective
from landscape.results.provenance import UNKNOWN, git_commit


def test_git_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    try:
        subprocess.run([*git, "init", "-q"], check=True)
    except OSError:
        pytest.skip("git is not installed")
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    shown = subprocess.run([*git, "log", "--format=%H"], check=True, capture_output=True, text=True)
    assert git_commit() == shown.stdout.strip()
    assert len(shown.stdout.strip()) == 40


def test_git_commit_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None


def cross_entropy(outputs, targets):
    """In bits, whatever it is called."""
    return F.cross_entropy(outputs, targets) / math.log(2)


@pytest.mark.parametrize(
    ("loss", "unit"),
    [
        (F.cross_entropy, "nats"),
        (nn.CrossEntropyLoss(), "nats"),
        (F.mse_loss, ""),
        (lambda outputs, targets: F.cross_entropy(outputs, targets), ""),
        (cross_entropy, ""),
        (partial(F.cross_entropy, label_smoothing=0.1), "nats"),
        (nn.BCEWithLogitsLoss(), "nats"),
        (F.binary_cross_entropy_with_logits, "nats"),
    ],
)
def test_the_unit_of_a_loss(loss, unit):
    targets = torch.randn(6, 3).softmax(1)
    objective = Objective(nn.Linear(4, 3), (torch.randn(6, 4), targets), loss, device="cpu")
    assert objective.provenance(0.0).loss_unit == unit
    name = objective.provenance(0.0).loss_name
    assert (name == "softmax cross-entropy") is (
        loss is F.cross_entropy or type(loss) is nn.CrossEntropyLoss
    )


def test_the_negative_log_likelihood_is_in_nats():
    model = nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(1))
    for loss in (F.nll_loss, nn.NLLLoss()):
        data = torch.randn(6, 4), torch.arange(6) % 3
        assert Objective(model, data, loss, device="cpu").provenance(0.0).loss_unit == "nats"


def test_results_of_earlier_versions_go_by_the_name():
    for name, unit in (("cross_entropy", "nats"), ("mse_loss", "")):
        assert replace(UNKNOWN, origin={"loss": name}).loss_unit == unit
