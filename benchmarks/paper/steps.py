"""Steps of a long computation, each a command, that a killed run does not do again.

A step that has ended is a line of a journal, with its command and its seconds. A step that was
killed is run again, by the command that continues what is there.
"""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm


@dataclass(frozen=True)
class Step:
    """A command, and how long it takes beside others.

    Attributes:
        name: what it is, for the journal and the bar.
        command: as it would be typed.
        weight: about its seconds on one core; only the share of the whole counts.
        after: names of the steps that have to end before.
        begun: a file that is there once the command has begun; None for a command that continues
            by itself.
        continuing: the command that goes on from there.
    """

    name: str
    command: str
    weight: float
    after: tuple[str, ...] = ()
    begun: Path | None = None
    continuing: str = ""

    @property
    def next_command(self) -> str:
        """What has to be run now."""
        is_begun = self.begun is not None and self.begun.exists()
        return self.continuing if is_begun else self.command


class StepFailedError(RuntimeError):
    """A command has failed."""


class Journal:
    """The steps that have ended, as lines of JSON; a line that a kill cut short does not count."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[tuple[str, str], float] = {}
        if path.is_file():
            for line in path.read_text().splitlines():
                try:
                    entry = json.loads(line)
                except json.JSONDecodeError:
                    continue
                self.seconds[entry["name"], entry["command"]] = entry["seconds"]

    def has(self, step: Step) -> bool:
        """Whether a step has ended."""
        return (step.name, step.command) in self.seconds

    def add(self, step: Step, seconds: float) -> None:
        """Note that a step has ended."""
        self.seconds[step.name, step.command] = seconds
        entry = {"name": step.name, "command": step.command, "seconds": round(seconds, 1)}
        with self.path.open("a") as lines:
            lines.write("\n" * self._ends_within_a_line() + json.dumps(entry) + "\n")
            lines.flush()
            os.fsync(lines.fileno())

    def _ends_within_a_line(self) -> bool:
        content = self.path.read_bytes() if self.path.is_file() else b""
        return bool(content) and not content.endswith(b"\n")


def run_steps(steps: Sequence[Step], journal: Journal, *, jobs: int, lock: int | None) -> None:
    """Run all steps that have not ended, ``jobs`` at a time, each on one core.

    Args:
        steps: in the order in which they are begun; none comes before what it has to wait for.
        journal: of the steps that have ended.
        jobs: how many run at a time.
        lock: the descriptor of the folder's lock (:mod:`landscape.results.lock`). The commands
            inherit it, so that one that a killed run has left behind keeps other runs out.

    Raises:
        StepFailedError: A command has failed; those under way are finished first.
    """
    waiting = [step for step in steps if not journal.has(step)]
    total = sum(step.weight for step in steps)
    running: dict[Future[float], Step] = {}
    failed: list[Step] = []
    form = "{desc} {percentage:3.0f}% |{bar}| {elapsed} elapsed, {remaining} left"
    with (
        tqdm(total=total, bar_format=form, smoothing=0) as bar,
        ThreadPoolExecutor(jobs) as workers,
    ):
        bar.n = bar.initial = total - sum(step.weight for step in waiting)
        bar.set_description_str(f"{len(steps) - len(waiting)} of {len(steps)} steps")
        while waiting or running:
            for step in _ready(waiting, list(running.values()))[: jobs - len(running)]:
                waiting.remove(step)
                tqdm.write(f"$ {step.next_command}")
                running[workers.submit(_run, step, lock)] = step
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                if future.exception() is None:
                    journal.add(step, future.result())
                    bar.update(step.weight)
                    done = len(steps) - len(waiting) - len(running)
                    bar.set_description_str(f"{done} of {len(steps)} steps")
                else:
                    failed.append(step)
                    waiting.clear()
    if failed:
        raise StepFailedError(f"this command failed: {failed[0].next_command}")


def _ready(waiting: Sequence[Step], running: Sequence[Step]) -> list[Step]:
    """The steps that wait for no other."""
    unfinished = {step.name for step in (*waiting, *running)}
    return [step for step in waiting if unfinished.isdisjoint(step.after)]


def _run(step: Step, lock: int | None) -> float:
    """Run a step; returns its seconds."""
    started = time.perf_counter()
    run_command(step.next_command, () if lock is None else (lock,))
    return time.perf_counter() - started


def run_command(command: str, descriptors: Sequence[int] = ()) -> None:
    """Run a command on one thread, without its output.

    Args:
        command: as it would be typed.
        descriptors: open files that it inherits.

    Raises:
        subprocess.CalledProcessError: It has failed.
    """
    subprocess.run(
        shlex.split(command),
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        pass_fds=tuple(descriptors),
        check=True,
    )
