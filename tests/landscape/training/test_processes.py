"""The command in several processes, under a scheduler's signals, and on a full disk."""

import os
import signal
import subprocess
import time

import pytest
import torch

from landscape.checkpoints.run import RunDirectory
from landscape.cli import main
from tests.commands import status_of
from tests.warm import Warm

MODEL = (
    *("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "mlp_dim=16"),
    *("--data", "digits", "--batch-size", "64"),
)


def assert_ended_well(ranks):
    assert [rank.end() for rank in ranks] == [0] * len(ranks), [rank.err for rank in ranks]


@pytest.mark.parametrize(
    "words",
    [
        ("--augment", "crop-flip", "--rho", "0.1"),
        ("--augment", "inception", "--rho", "0.1", "--sam", "gsam", "--clip", "1"),
    ],
    ids=["sam", "gsam"],
)
def test_two_processes_give_the_curve_of_one(words, warm, tmp_path):
    words = (*MODEL, *words, "--epochs", "2", "--output-dir")
    first, second = warm.start_ranks(*words, tmp_path / "two", count=2)
    assert status_of(main, *words, tmp_path / "one", "--quiet") == 0
    assert_ended_well((first, second))
    assert first.out.count("val accuracy") == 1
    assert second.out == ""
    assert "on 2 processes, cpu" in first.err
    one, two = (RunDirectory(tmp_path / name) for name in ("one", "two"))
    for a, b in zip(one.read_metrics(), two.read_metrics(), strict=True):
        for name in ("train_loss", "val_loss", "grad_norm", "surrogate_gap"):
            assert b[name] == pytest.approx(a[name], rel=2e-3, abs=1e-5), name
    embeddings = [run.load("best.pt")["model"]["pos_embed"] for run in (one, two)]
    torch.testing.assert_close(*embeddings, rtol=0, atol=5e-3)
    assert two.read_config()["processes"] == 2


def test_perturbations_of_their_own_are_those_of_groups_of_samples(warm, tmp_path):
    """Two processes without synchronisation are one with m = half of the batch."""
    words = (*MODEL, "--rho", "0.3", "--epochs", "1", "--output-dir")
    ranks = warm.start_ranks(*words, tmp_path / "two", "--no-sam-sync", count=2)
    assert status_of(main, *words, tmp_path / "one", "--sam-batch", "32", "--quiet") == 0
    assert_ended_well(ranks)
    one, two = (RunDirectory(tmp_path / name) for name in ("one", "two"))
    assert one.read_config()["samples_per_perturbation"] == 32
    assert two.read_config()["samples_per_perturbation"] == 32
    (a,), (b,) = (run.read_metrics() for run in (one, two))
    for name in ("train_loss", "val_loss", "surrogate_gap", "grad_norm"):
        assert b[name] == pytest.approx(a[name], rel=1e-4), name


def test_two_processes_train_one_seed_after_the_other(warm, tmp_path):
    words = (*MODEL, "--epochs", "1", "--seeds", "1", "2", "--output-dir")
    first, second = warm.start_ranks(*words, tmp_path / "two", count=2)
    assert status_of(main, *words, tmp_path / "one", "--quiet") == 0
    assert_ended_well((first, second))
    assert first.out.count("val accuracy") == 3
    for seed in (1, 2):
        one, two = (RunDirectory(tmp_path / name / f"seed-{seed}") for name in ("one", "two"))
        (a,), (b,) = one.read_metrics(), two.read_metrics()
        assert b["val_loss"] == pytest.approx(a["val_loss"], rel=1e-4)


def test_a_job_goes_on_after_one_of_its_processes_was_killed(warm, tmp_path):
    """torchrun's agent starts all of them again."""
    words = (*MODEL, "--batch-size", "128", "--rho", "0.1", "--epochs", "5", "--output-dir")
    run = RunDirectory(tmp_path / "run")
    job = warm.start(*words, run.path, launches=True)
    assert job.wait_for(lambda: run.path.exists() and run.read_metrics()), job.err
    list_children = ["ps", "-o", "pid=", "--ppid", str(job.pid)]
    os.kill(int(subprocess.check_output(list_children, text=True).split()[-1]), signal.SIGKILL)
    assert job.end() == 0, job.err
    assert [row["epoch"] for row in run.read_metrics()] == [1, 2, 3, 4, 5]
    assert status_of(main, *words, tmp_path / "alone", "--quiet") == 0
    expected = RunDirectory(tmp_path / "alone").read_metrics()
    for a, b in zip(expected, run.read_metrics(), strict=True):
        assert b["train_loss"] == pytest.approx(a["train_loss"], rel=1e-2)


def test_a_batch_that_processes_can_not_share(warm, tmp_path):
    words = (*MODEL, "--batch-size", "63", "--output-dir", tmp_path / "run")
    for rank in warm.start_ranks(*words, count=2):
        assert rank.end() != 0
        assert "--batch-size 63 can't be shared among 2 processes" in rank.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_schedulers_warning_saves_and_ends_well(number, warm, tmp_path):
    running = warm.start(*MODEL, "--epochs", "500", "--output-dir", tmp_path)
    assert running.wait_for((tmp_path / "last.pt").exists), running.err
    assert running.end(number) == 0, running.err
    expected = f"{number.name}: saved; continue with: landscape-train --resume --output-dir"
    assert running.out.strip() == f"{expected} {tmp_path}"
    state = RunDirectory(tmp_path).load("last.pt")
    assert state["epoch"] < 500
    assert state["epoch"] or len(state["records"])


def test_a_network_that_is_freed_after_its_process_group_ends(server, tmp_path):
    """As in the frames of the error that ends a training; many times, as it depends on threads."""
    job = Warm(server, tmp_path, "process groups").start("20")
    try:
        deadline = time.monotonic() + 60
        while job.is_alive and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not job.is_alive
        assert job.end() == 0, job.err
    finally:
        job.kill()


def test_a_full_disk_keeps_the_checkpoint_before(warm, tmp_path):
    folder = tmp_path / "run"
    warm.run(*MODEL, "--epochs", "2", "--quiet", "--output-dir", folder)
    config = (folder / "config.json").read_text().replace('"epochs": 2', '"epochs": 4')
    (folder / "config.json").write_text(config)
    before = (folder / "last.pt").read_bytes()
    resume = ("--resume", "--output-dir", folder)
    running = warm.start(*resume, largest_file=len(before) // 2)
    assert running.end() == 1
    last = running.err.splitlines()[-1]
    assert "last.pt can't be written: File too large; the one that was there is intact" in last
    assert (folder / "last.pt").read_bytes() == before
    warm.run(*resume, "--quiet")
    assert len(RunDirectory(folder).read_metrics()) == 4
