"""The file that a run writes as it goes: a JSON object a line, so that a run cut off loses nothing.

The first line of a run is of the kind ``run``, with the machine. Lines of the kind ``measurement``
are numbers, ``test`` the outcome of a test, and ``stage`` how a stage ended.
"""

import json
import math
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from landscape.results.provenance import git_commit, now, versions
from landscape.runtime.devices import describe_device

Record = dict[str, Any]


@dataclass(frozen=True)
class Measurement:
    """A number and what was aimed at.

    Attributes:
        what: what was measured, in words.
        value: the number.
        unit: its unit; empty for a ratio.
        aim: the number that was aimed at, if any.
        at_most: whether the aim is the largest acceptable value, not the smallest.
        note: what else there is to say.
    """

    what: str
    value: float
    unit: str = ""
    aim: float | None = None
    at_most: bool = True
    note: str = ""


@dataclass(frozen=True)
class Recorder:
    """Appends records of a stage to a file; each is on disk when the call returns."""

    path: Path
    stage: str = ""

    def write(self, kind: str, **content: Any) -> None:
        """Append a record."""
        record = {"kind": kind, "stage": self.stage, **content}
        # A run before this one may have been cut off within a line.
        start = "\n" if kind == "run" else ""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{start}{json.dumps(_finite(record))}\n")

    def measured(self, measurement: Measurement) -> None:
        """Append a measurement."""
        self.write("measurement", **asdict(measurement))


def read_runs(path: Path) -> list[list[Record]]:
    """The records of each run in a file; the last line of a run that was cut off may be broken."""
    runs: list[list[Record]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if record["kind"] == "run":
            runs.append([])
        if runs:
            runs[-1].append(record)
    return runs


def machine(device: torch.device, *, is_dry: bool) -> Record:
    """What a run is on: card, driver, versions, date."""
    return {
        "card": describe_device(device),
        "driver": _driver() if device.type == "cuda" else None,
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "versions": versions(),
        "commit": git_commit(),
        "date": now(),
        "dry_run": is_dry,
    }


def _driver() -> str | None:
    """The version of the driver, as nvidia-smi tells it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()[0].strip() if done.stdout else None


def _finite(value: Any) -> Any:
    """The value with None for numbers that JSON has no form for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value
