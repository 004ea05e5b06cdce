"""The command under torchrun, under a scheduler's signals, and on a full disk."""

import os
import resource
import signal
import subprocess
import time

import pytest
import torch

from landscape.checkpoints.run import RunDirectory
from landscape.cli import main
from tests.commands import TIMEOUT, installed, start, status_of
from tests.landscape.runtime.test_distributed import free_port

MODEL = ("--model", "vit-tiny", "--model-args", "depth=1", "--data", "digits", "--batch-size", "64")


def shared(folder, *words, processes=2, restarts=0):
    """landscape-train in several processes with one thread each."""
    return subprocess.Popen(
        [
            *(installed("torchrun"), "--nproc-per-node", str(processes)),
            *(f"--master-port={free_port()}", f"--max-restarts={restarts}", "--no-python"),
            *(installed("landscape-train"), *words, "--output-dir", str(folder)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def ended(process):
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    return out, err


@pytest.mark.parametrize(
    "words",
    [
        ("--augment", "crop-flip", "--rho", "0.1"),
        ("--augment", "inception", "--rho", "0.1", "--sam", "gsam", "--clip", "1"),
    ],
    ids=["sam", "gsam"],
)
def test_two_processes_give_the_curve_of_one(words, tmp_path):
    together = shared(tmp_path / "two", *MODEL, *words, "--epochs", "2")
    alone = (*MODEL, *words, "--epochs", "2", "--quiet", "--output-dir", tmp_path / "one")
    assert status_of(main, *alone) == 0
    out, err = ended(together)
    assert out.count("val accuracy") == 1
    assert "on 2 processes, cpu" in err
    one, two = (RunDirectory(tmp_path / name) for name in ("one", "two"))
    for a, b in zip(one.read_metrics(), two.read_metrics(), strict=True):
        for name in ("train_loss", "val_loss", "grad_norm", "surrogate_gap"):
            assert b[name] == pytest.approx(a[name], rel=2e-3, abs=1e-5), name
    first = [run.load("best.pt")["model"]["pos_embed"] for run in (one, two)]
    torch.testing.assert_close(*first, rtol=0, atol=5e-3)
    assert two.read_config()["processes"] == 2


def test_perturbations_of_their_own_are_those_of_groups_of_samples(tmp_path):
    """Two processes without synchronisation are one with m = half of the batch."""
    words = (*MODEL, "--rho", "0.3", "--epochs", "1")
    together = shared(tmp_path / "two", *words, "--no-sam-sync")
    alone = (*words, "--sam-batch", "32", "--quiet", "--output-dir", tmp_path / "one")
    assert status_of(main, *alone) == 0
    ended(together)
    (a,), (b,) = (RunDirectory(tmp_path / name).read_metrics() for name in ("one", "two"))
    for name in ("train_loss", "val_loss", "surrogate_gap", "grad_norm"):
        assert b[name] == pytest.approx(a[name], rel=1e-4), name


def test_a_job_goes_on_after_one_of_its_processes_was_killed(tmp_path):
    words = (*MODEL, "--rho", "0.1", "--epochs", "12")
    process = shared(tmp_path / "run", *words, restarts=2)
    run = RunDirectory(tmp_path / "run")
    deadline = time.monotonic() + TIMEOUT
    while len(run.read_metrics() if run.path.exists() else []) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    os.kill(int(children.stdout.split()[-1]), signal.SIGKILL)
    ended(process)
    assert [row["epoch"] for row in run.read_metrics()] == list(range(1, 13))
    alone = (*words, "--quiet", "--output-dir", tmp_path / "alone")
    assert status_of(main, *alone) == 0
    expected = RunDirectory(tmp_path / "alone").read_metrics()
    for a, b in zip(expected[:8], run.read_metrics()[:8], strict=True):
        assert b["train_loss"] == pytest.approx(a["train_loss"], rel=1e-2)


def test_a_batch_that_processes_can_not_share(tmp_path):
    process = shared(tmp_path / "run", *MODEL, "--batch-size", "63")
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode != 0
    assert "--batch-size 63 can't be shared among 2 processes" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_schedulers_warning_saves_and_ends_well(number, tmp_path):
    words = (*MODEL, "--epochs", "500", "--output-dir", tmp_path)
    with start("landscape-train", *words) as process:
        for line in process.stderr:
            if line.startswith("training "):
                break
        time.sleep(1)
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    expected = f"{number.name}: saved; continue with: landscape-train --resume --output-dir"
    assert out.strip() == f"{expected} {tmp_path}"
    state = RunDirectory(tmp_path).load("last.pt")
    assert state["epoch"] or len(state["records"])


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path):
    folder = tmp_path / "run"
    assert status_of(main, *MODEL, "--epochs", "2", "--quiet", "--output-dir", folder) == 0
    config = (folder / "config.json").read_text().replace('"epochs": 2', '"epochs": 4')
    (folder / "config.json").write_text(config)
    before = (folder / "last.pt").read_bytes()
    limit = len(before) // 2

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    found = subprocess.run(
        [installed("landscape-train"), "--resume", "--output-dir", str(folder)],
        capture_output=True,
        text=True,
        preexec_fn=no_room,  # noqa: PLW1509
        check=False,
    )
    assert found.returncode == 1
    last = found.stderr.splitlines()[-1]
    assert "last.pt can't be written: File too large; the one that was there is intact" in last
    assert (folder / "last.pt").read_bytes() == before
    assert status_of(main, "--resume", "--quiet", "--output-dir", folder) == 0
    assert len(RunDirectory(folder).read_metrics()) == 4
