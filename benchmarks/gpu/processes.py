"""Stages as processes of their own, which end at their deadlines whatever they do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu.records import Recorder
from benchmarks.gpu.stages import STAGES, seconds_for

ROOT = Path(__file__).parents[2]
LINES_OF_ERROR = 40


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        stages: the letters of the stages, in order.
        seconds: how long all of them may take together.
        output: the file for the records.
        is_dry: whether everything is tiny, on the processor.
        data_dir: the pictures of CIFAR-10; empty for synthetic ones.
    """

    stages: Sequence[str]
    seconds: float
    output: Path
    is_dry: bool
    data_dir: str = ""


def run_all(plan: Plan) -> bool:
    """Run the stages one after the other; returns whether all of them came to their end."""
    deadline = time.monotonic() + plan.seconds
    outcomes = []
    for number, name in enumerate(plan.stages):
        seconds = seconds_for(plan.stages[number:], deadline - time.monotonic())
        outcomes.append(_run(name, plan, seconds))
    return all(outcome == "done" for outcome in outcomes)


def _run(name: str, plan: Plan, seconds: float) -> str:
    """Run a stage and record how it ended, which is returned."""
    recorder = Recorder(plan.output, name)
    words = ["--run-stage", name, "--seconds", f"{seconds:.1f}", "--output", str(plan.output)]
    words += ["--dry-run"] if plan.is_dry else []
    words += ["--data-dir", plan.data_dir] if plan.data_dir else []
    log = plan.output.with_suffix(f".{name}.log")
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.gpu", *words],
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _search_path()},
            start_new_session=True,
        )
        try:
            outcome = "done" if process.wait(seconds) == 0 else "failed"
        except subprocess.TimeoutExpired:
            outcome = "cut off"
        finally:
            _end(process)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    recorder.write(
        "stage",
        title=STAGES[name].title,
        outcome=outcome,
        seconds=round(time.monotonic() - started, 1),
        limit=round(seconds, 1),
        error=None if outcome == "done" else "\n".join(lines[-LINES_OF_ERROR:]),
    )
    print(
        f"({name}) {STAGES[name].title}: {outcome}, {time.monotonic() - started:.0f} s", flush=True
    )
    return outcome


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and those that it started, which are of its session."""
    with suppress(ProcessLookupError):  # all have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _search_path() -> str:
    """PYTHONPATH with the repository first, where the package may not be installed."""
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(ROOT), *([before] if before else [])])
