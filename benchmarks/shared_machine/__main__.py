"""How the threads of a computation wait for each other, alone and beside busy processes.

    python -m benchmarks.shared_machine [--busy 0 1 2] [--rounds N] [--spins N ...] [--json FILE]

A process of its own computes Hessian products of a Mixer and losses of a ResNet-20, for each way
to wait in turn. The ideal share beside b busy processes of one thread each is what a fair scheduler
would give one more process: cores / (b + 1) of them. A row is the median over rounds of seconds, in
units of the ideal: of the seconds of the ways on all cores alone, the least; beside others, of one
thread's seconds alone divided by the share.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.shared_machine.names import COMPUTATIONS

# A process that takes longer is ended, and its times are infinite.
LONGEST = 60.0
_VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
_ONE_THREAD = "one thread"
_AS_COMMANDS = "as the commands"


def main() -> None:
    """Time every way to wait, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2], metavar="B")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--spins", type=int, nargs="*", default=[], metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    arguments = parser.parse_args()
    ways: dict[str, dict[str, str]] = {
        _ONE_THREAD: {"OMP_NUM_THREADS": "1"},
        "torch's default": {},
        "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
        **{f"{count} spins": {"GOMP_SPINCOUNT": str(count)} for count in arguments.spins},
        _AS_COMMANDS: {},
    }
    seconds: dict[int, dict[str, dict[str, float]]] = {}
    for busy in arguments.busy:
        with busy_processes(busy):
            seconds[busy] = medians(ways, arguments.rounds)
        print_rows(busy, seconds[busy], seconds.get(0))
    if arguments.json:
        arguments.json.write_text(json.dumps(seconds, indent=2) + "\n")


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Processes that compute, of one thread each, for as long as the block lasts."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def medians(ways: Mapping[str, Mapping[str, str]], rounds: int) -> dict[str, dict[str, float]]:
    """The median seconds by way to wait and computation; every round takes all ways in turn."""
    lists: dict[str, dict[str, list[float]]] = {way: {} for way in ways}
    for _ in range(rounds):
        for way, variables in ways.items():
            for computation, value in seconds_of(variables, way == _AS_COMMANDS).items():
                lists[way].setdefault(computation, []).append(value)
    return {
        way: {computation: statistics.median(values) for computation, values in by_name.items()}
        for way, by_name in lists.items()
    }


def seconds_of(variables: Mapping[str, str], as_commands: bool) -> dict[str, float]:
    """The seconds of each computation, in a new process with these variables set."""
    environment = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    environment |= variables
    line = "import landscape; landscape.threads(); " if as_commands else ""
    line += "from benchmarks.shared_machine.computations import compute; compute()"
    command = [sys.executable, "-c", line]
    try:
        done = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        return dict.fromkeys(COMPUTATIONS, math.inf)
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


def print_rows(
    busy: int,
    seconds: Mapping[str, Mapping[str, float]],
    alone: Mapping[str, Mapping[str, float]] | None,
) -> None:
    """Print the seconds, and their ratios to the ideal where that was measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"beside {busy} busy processes" if busy else "alone")
    for way, values in seconds.items():
        cells = []
        for computation, value in values.items():
            ideal = float("nan")
            if busy == 0:
                ideal = min(row[computation] for row in seconds.values())
            elif alone is not None:
                ideal = alone[_ONE_THREAD][computation] / ((cores or 1) / (busy + 1))
            cells.append(f"{computation} {value:7.2f} s {value / ideal:6.2f} x")
        print(f"  {way:16} " + "   ".join(cells), flush=True)


if __name__ == "__main__":
    main()
