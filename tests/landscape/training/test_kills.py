"""kill -9 at any instant loses at most the epoch that was under way."""

import random
import time

import torch

from landscape.checkpoints.run import RunDirectory
from tests.commands import content
from tests.landscape.training.runs import without_time
from tests.profile import repeats

TRAIN = (
    *("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "mlp_dim=16", "dropout=0.1"),
    *("--data", "digits", "--augment", "crop-flip", "--epochs", "8", "--batch-size", "512"),
    *("--save-every", "3"),
)
KILLS = repeats(quick=2, full=8)


def kill_while_training(warm, words, folder, seconds, while_writing):
    """Start the command, wait ``seconds`` from its first step on, and kill it.

    With ``while_writing`` the kill waits until last.pt is about to be replaced.
    """
    running = warm.start(*words, "--output-dir", folder)
    running.wait_for(lambda: "training " in running.err)
    time.sleep(seconds)
    if while_writing:
        running.wait_for(lambda: list(folder.glob(".last.pt.*")))
    running.kill()


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_never_was(warm, tmp_path):
    unkilled, killed = RunDirectory(tmp_path / "unkilled"), RunDirectory(tmp_path / "killed")
    warm.run(*TRAIN, "--quiet", "--output-dir", unkilled.path)
    expected = unkilled.load("last.pt")
    epoch_seconds = sum(row["seconds"] for row in expected["metrics"]) / 8

    instants, finished = random.Random(20), 0
    for kill in range(KILLS):
        words = ("--resume",) if killed.exists() else TRAIN
        seconds = instants.uniform(0, 2 * epoch_seconds)
        kill_while_training(warm, words, killed.path, seconds, while_writing=kill % 2)
        assert killed.read_config()["model_name"] == "vit-tiny"
        last = killed.load("last.pt") if (killed.path / "last.pt").exists() else {"epoch": 0}
        assert last["epoch"] >= finished
        assert len(killed.read_metrics()) in (last["epoch"] - 1, last["epoch"])
        finished = last["epoch"]

    warm.run("--resume", "--quiet", "--output-dir", killed.path)
    state = killed.load("last.pt")
    assert state["epoch"] == 8
    for key, tensor in expected["model"].items():
        assert torch.equal(state["model"][key], tensor), key
    assert without_time(killed.read_metrics()) == without_time(unkilled.read_metrics())
    best, expected_best = killed.load("best.pt"), unkilled.load("best.pt")
    assert best["epoch"] == expected_best["epoch"]
    for key, tensor in expected_best["model"].items():
        assert torch.equal(best["model"][key], tensor), key
    # What the killed writes left behind is gone.
    names = {path.name for path in killed.path.iterdir()}
    assert names == {"config.json", "metrics.csv", "last.pt", "best.pt", "epochs"}
    kept, expected_kept = content(killed.path / "epochs"), content(unkilled.path / "epochs")
    assert set(kept) == {"0000.pt", "0003.pt", "0006.pt", "0008.pt"}
    assert kept == expected_kept
