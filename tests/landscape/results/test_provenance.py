import subprocess

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.objective.objective import Objective
from landscape.results.provenance import git_commit


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


@pytest.mark.parametrize(
    ("loss", "unit"),
    [
        (F.cross_entropy, "nats"),
        (nn.CrossEntropyLoss(), "nats"),
        (F.mse_loss, ""),
        (lambda outputs, targets: F.cross_entropy(outputs, targets), ""),
    ],
)
def test_the_unit_of_a_loss(loss, unit):
    targets = torch.randn(6, 3).softmax(1)
    objective = Objective(nn.Linear(4, 3), (torch.randn(6, 4), targets), loss, device="cpu")
    assert objective.provenance(0.0).loss_unit == unit
