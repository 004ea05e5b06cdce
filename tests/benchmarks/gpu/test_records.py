"""The file of a run, the shares of the stages, and the table."""

import json
import math
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.records import Measurement, Recorder, machine, read_runs
from benchmarks.gpu.stages import STAGES, output_file, seconds_for
from benchmarks.gpu.table import tables


@pytest.fixture
def file(tmp_path):
    """A run of two stages that was cut off in the third."""
    path = tmp_path / "gpu.jsonl"
    start = Recorder(path)
    start.write("run", **machine(torch.device("cpu"), is_dry=False))
    tests, products = Recorder(path, "a"), Recorder(path, "c")
    tests.write("test", name="tests/x.py::y", outcome="passed", seconds=0.1, error="")
    tests.write("test", name="tests/x.py::z", outcome="failed", seconds=0.1, error="at\nE  1 != 2")
    tests.write("stage", outcome="failed", seconds=3.0, error="Traceback\nRuntimeError: failed")
    products.measured(Measurement("a product", 1.98, "gradients", 2.0, note="32 pictures"))
    products.measured(Measurement("another product", 2.5, "gradients", 2.0))
    products.measured(Measurement("share of the rate", 50.0, "%", 45.0, at_most=False))
    products.measured(Measurement("diverged", math.nan))
    products.write("missing", what=["PyHessian: not installed"])
    products.write("stage", outcome="done", seconds=12.5, error=None)
    Recorder(path, "d").measured(Measurement("a step", 2.01))
    with path.open("a") as opened:
        opened.write('{"kind": "measurement", "stage": "d", "wh')
    return path


def test_a_run_that_was_cut_off_has_what_was_written(file):
    (run,) = read_runs(file)
    assert [record["kind"] for record in run].count("measurement") == 5
    assert run[0]["torch"] == torch.__version__
    assert run[0]["card"] == "cpu"
    assert run[-1]["what"] == "a step"
    diverged = next(record for record in run if record.get("what") == "diverged")
    assert diverged["value"] is None


def test_runs_in_one_file_are_told_apart(file):
    Recorder(file).write("run", **machine(torch.device("cpu"), is_dry=True))
    assert [len(run) for run in read_runs(file)] == [11, 1]


def test_the_table_says_what_was_met_missed_and_never_measured(file):
    (run,) = read_runs(file)
    text = tables([run])
    assert f"### cpu ({run[0]['date'][:10]})\n" in text
    assert "| a product | 1.98 gradients | ≤ 2 | 32 pictures |" in text
    assert "| another product | 2.5 gradients | ≤ 2 (missed) |  |" in text
    assert "| share of the rate | 50 % | ≥ 45 |  |" in text
    assert "| diverged | not finite |" in text
    assert "(a) the CUDA tests: failed after 3 s, 1 failed, 1 passed: RuntimeError: failed" in text
    assert "(c) Hessian products: done after 12.5 s; not measured: PyHessian" in text
    assert "(d) training steps: never ended" in text
    assert "- failed: `tests/x.py::z`: E  1 != 2" in text
    assert "dry run" not in text
    assert "dry run" in tables([[{**run[0], "dry_run": True}]])


def test_stages_share_the_time_that_is_left():
    names = list(STAGES)
    shares = [STAGES[name].share for name in names]
    assert seconds_for(names, 480) == pytest.approx(480 * shares[0] / sum(shares))
    assert seconds_for(names[-1:], 100) == 100
    # If each takes all that it may, all of them take all the time.
    left = 480.0
    for number in range(len(names)):
        left -= seconds_for(names[number:], left)
    assert left == pytest.approx(0)
    assert seconds_for(names, -5) == 0


def test_the_file_is_in_a_folder_that_git_ignores_unless_another_is_given():
    ignored = Path(__file__).parents[3] / ".gitignore"
    assert f"{output_file(None, None).parts[0]}/" in ignored.read_text().splitlines()
    assert output_file(None, "/out") == Path("/out/gpu.jsonl")
    assert output_file(Path("mine.jsonl"), "/out") == Path("mine.jsonl")


def test_a_record_is_a_line_of_json(tmp_path):
    recorder = Recorder(tmp_path / "file", "b")
    recorder.measured(Measurement("λ", 1.0, note="two\nlines"))
    (line,) = (tmp_path / "file").read_text().splitlines()
    assert json.loads(line)["what"] == "λ"
