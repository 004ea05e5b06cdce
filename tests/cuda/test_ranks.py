"""Processes that work together: NCCL on a card alone, and two that share a card by gloo."""

import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist

from analyses.surface.result import Surface
from landscape.checkpoints.run import RunDirectory
from landscape.runtime.distributed import Ranks, process_group
from landscape.training.scale.data_parallel import DataParallelGroup
from tests.architecture import ROOT
from tests.commands import TIMEOUT, free_port
from tests.cuda.examples import skip_on_the_processor

TRAIN = "from landscape.cli import main; raise SystemExit(main())"
PLOT = "from analyses.cli import main; raise SystemExit(main())"
MODEL = ("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "mlp_dim=16")
TRAINING = (*MODEL, "--data", "digits", "-b", "128", "--epochs", "1", "--rho", "0.1")


def test_a_process_alone_reduces(device):
    """By NCCL on a card, by gloo on the processor."""
    ranks = Ranks(0, 1, dist.HashStore())
    with process_group(ranks, device, "alone"):
        assert dist.get_backend() == ("nccl" if device.type == "cuda" else "gloo")
        values = torch.arange(3.0, device=device)
        dist.all_reduce(values)
        DataParallelGroup(Ranks(0, 2, None), device).wait()
        assert values.tolist() == [0.0, 1.0, 2.0]


def run_ranks(code, words, device, count):
    """Run a command in some processes, as torchrun starts them; returns when all have ended."""
    port = str(free_port())
    processes = []
    for rank in range(count):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONPATH": str(ROOT)}
        environment = {**os.environ, **where, **{key: str(n) for key, n in place.items()}}
        command = [sys.executable, "-c", code, *map(str, words), "--device", device.type]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        processes.append(subprocess.Popen(command, env=environment, **pipes))
    try:
        outputs = [process.communicate(timeout=TIMEOUT)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * count, outputs


def test_two_processes_share_a_device(device, tmp_path):
    """They train what one trains, and evaluate the points of a surface that one evaluates."""
    skip_on_the_processor(device)
    one, two = (RunDirectory(tmp_path / name) for name in ("one", "two"))
    for run, count in ((one, 1), (two, 2)):
        run_ranks(TRAIN, (*TRAINING, "--quiet", "--output-dir", run.path), device, count)
    (a,), (b,) = one.read_metrics(), two.read_metrics()
    for name in ("train_loss", "val_loss", "grad_norm", "surrogate_gap"):
        assert b[name] == pytest.approx(a[name], rel=2e-3, abs=1e-5), name
    surface = ("surface", one.path, "--x=-1:1:3", "--y=-1:1:3", "--samples", "32", "--precision")
    surface = (*surface, "fp32", "--compile", "off", "--format", "none", "--quiet", "--output-dir")
    files = []
    for count in (1, 2):
        run_ranks(PLOT, (*surface, tmp_path / f"surface{count}"), device, count)
        (file,) = (tmp_path / f"surface{count}").rglob("surface.h5")
        files.append(file)
    alone, together = map(Surface.load, files)
    assert alone.loss.tolist() == together.loss.tolist()
