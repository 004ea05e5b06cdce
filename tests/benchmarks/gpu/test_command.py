"""The command, without a card: every stage at a tiny size, a stage that fails, and a deadline."""

import os
import subprocess
import sys
import time

import pytest
import torch

from benchmarks.gpu import pictures
from benchmarks.gpu.processes import Plan, run_all
from benchmarks.gpu.records import read_runs
from benchmarks.gpu.stages import STAGES
from landscape.data.catalog import load_data
from landscape.data.settings import DataSettings
from tests.architecture import ROOT
from tests.commands import TIMEOUT


def run(*words, **variables):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
    )


def test_every_stage_runs_without_a_card(tmp_path):
    done = run("--dry-run", OUT=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    (records,) = read_runs(tmp_path / "gpu.jsonl")
    ends = {record["stage"]: record["outcome"] for record in records if record["kind"] == "stage"}
    assert ends == dict.fromkeys(STAGES, "done")
    outcomes = [record["outcome"] for record in records if record["kind"] == "test"]
    assert outcomes == ["passed"] * 2
    measured = [record for record in records if record["kind"] == "measurement"]
    assert {record["stage"] for record in measured} == {"b", "c", "d", "e"}
    assert all(record["value"] is not None for record in measured)
    what = [record["what"] for record in measured]
    assert len(set(what)) == len(what)
    assert {record["aim"] for record in measured} == {None, 45.0, 60.0, 2.0, 2.05}
    table = run("--table", tmp_path / "gpu.jsonl")
    assert "dry run" in table.stdout
    assert all(text in table.stdout for text in what)
    assert done.stdout.endswith(table.stdout)


def test_a_stage_that_fails_says_why_and_does_not_stop_the_next(tmp_path):
    plan = Plan(["e", "e"], TIMEOUT, tmp_path / "x.jsonl", True, str(tmp_path / "missing"))
    (tmp_path / "x.jsonl").write_text('{"kind": "run", "stage": ""}\n')
    assert not run_all(plan)
    (records,) = read_runs(plan.output)
    ends = [record for record in records if record["kind"] == "stage"]
    assert [record["outcome"] for record in ends] == ["failed", "failed"]
    assert all("no such folder: --data-dir" in record["error"] for record in ends)


def test_a_stage_ends_at_its_deadline(tmp_path):
    started = time.monotonic()
    assert not run_all(Plan(["b"], 0.5, tmp_path / "x.jsonl", True))
    assert time.monotonic() - started < 60
    assert '"cut off"' in (tmp_path / "x.jsonl").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_card_it_says_so_in_a_line(tmp_path):
    done = run("--output", tmp_path / "x.jsonl")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "--dry-run does the same without one" in done.stderr
    assert not (tmp_path / "x.jsonl").exists()


def test_synthetic_pictures_are_read_as_cifar10(tmp_path):
    pictures.write_synthetic_pictures(tmp_path, 500, 100)
    settings = DataSettings(data="cifar10", data_dir=str(tmp_path))
    training, test = load_data(settings, "train"), load_data(settings, "test")
    assert (len(training), len(test)) == (500, 100)
    assert training.input_shape == (3, 32, 32)
    # The pattern of a class is what its pictures have in common.
    pixels = training.inputs.float()
    means = torch.stack([pixels[training.targets == k].mean(0) for k in range(10)])
    distances = torch.cdist(test.inputs.float().flatten(1), means.flatten(1))
    assert (distances.argmin(1) == test.targets).float().mean() > 0.9
