"""What a point of a surface of a small network costs beside its forward pass.

    python -m benchmarks.small_networks [--points 100] [--json FILE]

It times the forward pass and loss alone, a point by itself, and a point of a whole surface as it is
evaluated there (several in one forward pass where that is chosen), and compares the losses of the
surface with those of points by themselves. All times are of the processor, so that other programs
don't count. At last the command measures the first of the surfaces, from start to end.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from analyses import surface
from landscape.directions.direction import random_direction
from landscape.objective.objective import Objective
from landscape.slices.evaluator import PointEvaluator

# Of each network: the width of its two hidden layers and the samples.
SIZES = ((6, 100), (64, 100), (64, 1000), (300, 256))
OWN_FILE = """
import torch
from torch import nn


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))


def data():
    torch.manual_seed(1)
    return torch.randn(100, 8), torch.randint(3, (100,))
"""


@dataclass(frozen=True)
class Row:
    """Microseconds of the processor; the error is relative, the largest of all points."""

    parameters: int
    samples: int
    forward: float
    by_itself: float
    of_a_surface: float
    together: int
    error: float


def measure(width: int, samples: int, side: int) -> Row:
    """Time a network, and a surface of it of ``side`` times ``side`` points."""
    torch.manual_seed(0)
    layers = [nn.Linear(8, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh()]
    objective = Objective(
        nn.Sequential(*layers, nn.Linear(width, 3)),
        (torch.randn(samples, 8), torch.randint(3, (samples,))),
        device="cpu",
    )
    draw = torch.Generator().manual_seed(0)
    directions = [random_direction(objective.layout, objective.theta, draw) for _ in range(2)]
    evaluator = PointEvaluator(objective, directions, "train")

    def forward() -> None:
        with torch.no_grad():
            for batch in objective.batches:
                objective.loss_of(objective.forward(batch), batch).item()

    alone = _microseconds(forward)
    by_itself = _microseconds(lambda: evaluator((0.5, 0.25)))
    settings = surface.Settings(x=(-1, 1, side), y=(-1, 1, side))
    started = time.process_time()
    plane = surface.compute(objective, settings, directions=tuple(directions))
    seconds = time.process_time() - started
    expected = np.array([[evaluator((x, y))[0] for x in plane.x] for y in plane.rows])
    evaluator.close()
    error = float(np.abs(plane.loss / expected - 1).max())
    of_a_surface = 1e6 * seconds / side**2
    together = plane.mode["points"]
    size = objective.num_parameters
    return Row(size, samples, alone, by_itself, of_a_surface, together, error)


def _microseconds(call: Callable[[], Any], calls: int = 100, rounds: int = 9) -> float:
    """The median over rounds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(calls):
            call()
        times.append((time.process_time() - started) / calls)
    return 1e6 * float(np.median(times))


def seconds_of_command(side: int) -> float:
    """The processor's seconds of the whole command, its start included."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "own.py"
        own.write_text(OWN_FILE)
        axis = f"-1:1:{side}"
        words = ["surface", "--model", f"{own}:network", "--data", f"{own}:data", "--trust"]
        words += [f"--x={axis}", f"--y={axis}", "--format", "none", "--output-dir", folder]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "analyses", *words, "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=100, help="along a side of a surface")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| parameters | samples | forward and loss, µs | a point by itself, µs "
        "| of the surface, µs | points together | largest error |\n"
        "|---:|---:|---:|---:|---:|---:|---:|"
    )
    rows = []
    for width, samples in SIZES:
        row = measure(width, samples, arguments.points)
        rows.append(row)
        print(
            f"| {row.parameters:,} | {row.samples} | {row.forward:.0f} | {row.by_itself:.0f} "
            f"| {row.of_a_surface:.0f} | {row.together} | {row.error:.0e} |",
            flush=True,
        )
    whole, start = seconds_of_command(arguments.points), seconds_of_command(5)
    print(f"\nthe command, {arguments.points**2:,} points: {whole:.1f} s; 25 points: {start:.1f} s")
    if arguments.json:
        table = {"rows": [asdict(row) for row in rows], "command": whole, "start": start}
        arguments.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
