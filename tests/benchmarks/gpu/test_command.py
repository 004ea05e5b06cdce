"""The command, without a card: every stage at a tiny size, a stage that fails, and a deadline."""

import sys
import time

import pytest
import torch

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import pictures
from benchmarks.gpu.processes import Plan, run_all
from benchmarks.gpu.records import Recorder, read_runs
from benchmarks.gpu.stages import STAGES, Work, run_stage
from landscape.data.catalog import load_data
from landscape.data.settings import DataSettings
from tests.commands import TIMEOUT
from tests.profile import long_test


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command in this process, its stages in others; returns status, output and errors."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["benchmarks.gpu", *map(str, words)])
        status = command.main()
        return status, *capsys.readouterr()

    return run


@pytest.mark.filterwarnings("default")  # those of the libraries that it compares with
def test_every_stage_runs_without_a_card(run, tmp_path, monkeypatch, capsys):
    """Stage (a), which is pytest, in a process of its own as all are by the command."""
    monkeypatch.setenv("OUT", str(tmp_path))
    status, out, err = run("--dry-run", "--stages", "a")
    assert status == 0, out + err
    _, table, _ = run("--table", tmp_path / "gpu.jsonl")
    assert out.endswith(table)
    for stage in "bcde":
        run_stage(stage, Work(Recorder(tmp_path / "gpu.jsonl", stage), True, TIMEOUT))
    capsys.readouterr()
    (records,) = read_runs(tmp_path / "gpu.jsonl")
    ends = {record["stage"]: record["outcome"] for record in records if record["kind"] == "stage"}
    assert ends == {"a": "done"}
    outcomes = [record["outcome"] for record in records if record["kind"] == "test"]
    assert outcomes == ["passed"] * 2
    measured = [record for record in records if record["kind"] == "measurement"]
    assert {record["stage"] for record in measured} == {"b", "c", "d", "e"}
    assert all(record["value"] is not None for record in measured)
    what = [record["what"] for record in measured]
    assert len(set(what)) == len(what)
    assert {record["aim"] for record in measured} == {None, 45.0, 60.0, 2.0, 2.05}
    status, table, _ = run("--table", tmp_path / "gpu.jsonl")
    assert status == 0
    assert "dry run" in table
    assert all(text in table for text in what)


def test_the_command_runs_all_stages(run, tmp_path, monkeypatch):
    plans = []
    monkeypatch.setattr(command, "run_all", lambda plan: not plans.append(plan))
    assert run("--dry-run", "--output", tmp_path / "x.jsonl")[0] == 0
    assert [(plan.stages, plan.is_dry) for plan in plans] == [(list(STAGES), True)]


@long_test
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
def test_without_a_card_it_says_so_in_a_line(run, tmp_path):
    status, _, err = run("--output", tmp_path / "x.jsonl")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "--dry-run does the same without one" in err
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
