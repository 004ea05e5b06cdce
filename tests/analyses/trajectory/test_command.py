"""The trajectory command."""

import numpy as np
import pytest
import torch

from landscape import cli as train_cli
from tests.analyses.written import arrays, headline
from tests.commands import content, status_of

SMALL = ("--samples", "48", "--points", "4")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run whose epochs were kept."""
    run = tmp_path_factory.mktemp("kept") / "run"
    words = ("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "--data", "digits")
    words = (*words, "--epochs", "3", "--save-every", "1", "-b", "256", "--lr", "0.01", "--quiet")
    assert status_of(train_cli.main, *words, "--output-dir", run) == 0
    return run


def test_the_trajectory_of_a_run(done, kept, tmp_path):
    out, _ = done("trajectory", kept, *SMALL, "--output-dir", tmp_path)
    names = ("run/trajectory.h5", "run/trajectory.json", "trajectory.png", "trajectory.html")
    names = (*names, "trajectory.json", "trajectory.csv", "trajectory.md")
    assert out.splitlines() == [str(tmp_path / name) for name in names]
    said = headline(tmp_path, "run", "trajectory")
    assert said["epochs"] == [0, 1, 2, 3]
    epochs = [f"{k}={kept / 'epochs' / f'000{k}.pt'}" for k in range(4)]
    words = ("--samples", "48", "--x=-1:1:3", "--format", "none", "--output-dir", tmp_path / "own")
    done("line", *epochs, *words, "--model", "vit-tiny", "--model-args", "depth=1", "dim=16")
    own = [headline(tmp_path / "own", str(k), "line")["loss"] for k in range(4)]
    np.testing.assert_allclose(said["path_loss"], own, rtol=1e-6)
    assert arrays(tmp_path / "run" / "trajectory.h5")["train_loss"].shape == (4, 4)
    _, err = done("trajectory", kept, *SMALL, "--format", "none", "--output-dir", tmp_path)
    assert "run: trajectory is already measured" in err


def test_files_of_the_original_tool(done, kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for k in range(4):
        saved = torch.load(kept / "epochs" / f"000{k}.pt", weights_only=True)
        torch.save({"acc": 1.0, "epoch": 5 * k, "state_dict": saved["model"]}, f"model_{5 * k}.pt")
    words = ("trajectory", kept, *SMALL, "--format", "none")
    done(*words, "--output-dir", "own")
    done(*words, "--epochs", "model_*.pt", "--output-dir", "files")
    own, files = (headline(tmp_path / name, "run", "trajectory") for name in ("own", "files"))
    assert files["epochs"] == [0, 5, 10, 15]
    assert files["path_loss"] == own["path_loss"]
    assert files["plane_loss"] == own["plane_loss"]


def test_a_report_of_a_run_with_epochs_has_its_trajectory(done, kept, runs, tmp_path):
    words = ("--samples", "16", "--x=-1:1:3", "--y=-1:1:3", "--top", "1", "--probes", "0")
    words = (*words, "--only", "trajectory,norms", "--output-dir", tmp_path)
    _, err = done("report", kept, runs[0], *words)
    files = set(content(tmp_path))
    assert {"run/trajectory.h5", "trajectory.png"} <= files
    assert "plain/trajectory.h5" not in files
    assert "plain: no trajectory: " in err
    assert "Training trajectory" in (tmp_path / "report.html").read_text()


def test_too_few_epochs_are_one_line(refused, kept, runs, tmp_path):
    words = (*SMALL, "--output-dir", tmp_path / "figures")
    said = refused("trajectory", runs[0], *words)
    assert "has 0 saved epochs, a plane needs 3: train with --save-every 1" in said
    pattern = str(kept / "epochs" / "000[01].pt")
    said = refused("trajectory", kept, "--epochs", pattern, *words)
    assert f"--epochs {pattern!r} matches 2 files; a plane needs 3" in said
