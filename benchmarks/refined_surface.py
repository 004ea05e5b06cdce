"""The time of a refined surface against a loop over all its points, and its true errors.

    python -m benchmarks.refined_surface --checkpoint FILE --model FILE.py:FUNCTION
        --data-dir PICTURES [--images 512] [--side 51] [--tolerance 0.01] [--truth] [--json FILE]

The loop is that of benchmarks/surface.py (the original tool's). It is timed at a few points before
and after every refined surface, and its time for all points is the median of these times their
number. The surface is refined in the arithmetic of float32 and in the fastest that the tolerance
allows, choice and its trials included. With --truth every point is measured too, by far the
longest part, and the errors are those of all points, measured and interpolated.
"""

import argparse
import copy
import json
import math
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from analyses import surface
from analyses.slices.grid import Axis
from analyses.surface.result import Surface
from analyses.surface.settings import Settings
from benchmarks.cases import add_case_arguments, load_case, normalised
from benchmarks.surface_methods import OriginalLoop, Pictures
from landscape.directions.direction import random_direction
from landscape.directions.files import direction_arrays
from landscape.objective.objective import Objective
from landscape.runtime.machine.allocator import keep_freed_memory, return_freed_memory

Floats = NDArray[np.float64]

POINTS = [(0.3, 0.4), (-0.2, 0.5)]


@dataclass(frozen=True)
class Row:
    """A refined surface; errors are relative to the true loss, and nan where it is not measured."""

    arithmetic: str
    noise: float
    measured: int
    seconds: float
    speed: float
    rms_error: float
    largest_error: float
    within_one: float
    within_two: float


def run(arguments: argparse.Namespace) -> tuple[float, list[Row]]:
    """The seconds of a point of the loop, and a row for either arithmetic."""
    model, pixels, targets = load_case(arguments)
    values = normalised(torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255))
    objective = Objective(copy.deepcopy(model), (values, targets), device="cpu")
    generator = torch.Generator().manual_seed(0)
    directions = [random_direction(objective.layout, objective.theta, generator) for _ in range(2)]
    axis = Axis(-1.0, 1.0, arguments.side)
    settings = Settings(x=axis, y=axis, refine=True, tolerance=arguments.tolerance)
    truth = None
    if arguments.truth:
        every_point = Settings(x=axis, y=axis)
        truth = surface.compute(objective, every_point, directions=tuple(directions)).loss
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "directions.h5"
        with h5py.File(file, "w") as opened:
            for name, direction in zip(("xdirection", "ydirection"), directions, strict=True):
                for key, array in direction_arrays(direction, name, model).items():
                    opened[key] = array
        loop = OriginalLoop(copy.deepcopy(model), Pictures(pixels, targets), file)
        loop(POINTS)
        loop_seconds = [_seconds_of_a_point(loop)]
        refined = []
        for exact_points in (True, False):
            of_arithmetic = replace(settings, exact_points=exact_points)
            keep_freed_memory()
            started = time.perf_counter()
            result = surface.compute(objective, of_arithmetic, directions=tuple(directions))
            refined.append((result, time.perf_counter() - started))
            return_freed_memory()
            loop_seconds.append(_seconds_of_a_point(loop))
    point = statistics.median(loop_seconds)
    return point, [_row(result, seconds, point, truth) for result, seconds in refined]


def _seconds_of_a_point(loop: OriginalLoop) -> float:
    started = time.perf_counter()
    loop(POINTS)
    return (time.perf_counter() - started) / len(POINTS)


def _row(result: Surface, seconds: float, point: float, truth: Floats | None) -> Row:
    errors, ratios = np.array([np.nan]), np.array([])
    if truth is not None:
        errors = np.abs(result.loss / truth - 1).ravel()
        claims = result.errors["train_loss"].ravel()
        ratios = errors[claims > 0] / claims[claims > 0]
    return Row(
        str(result.mode["precision"]),
        float(result.mode["noise"]),
        int(result.measured.sum()),
        seconds,
        point * result.loss.size / seconds,
        float(np.sqrt((errors**2).mean())),
        float(errors.max()),
        _share_within(1, ratios),
        _share_within(2, ratios),
    )


def _share_within(limit: float, ratios: Floats) -> float:
    return float((ratios <= limit).mean()) if ratios.size else math.nan


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--side", type=int, default=51, help="points along a side of the grid")
    parser.add_argument("--tolerance", type=float, default=0.01)
    parser.add_argument("--truth", action="store_true", help="measure every point too")
    add_case_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    point, rows = run(arguments)
    print(
        f"{arguments.images} pictures, {arguments.side}x{arguments.side} points, tolerance "
        f"{arguments.tolerance}, {torch.get_num_threads()} threads, torch {torch.__version__}; "
        f"the loop takes {point:.3f} s a point, {point * arguments.side**2:.0f} s for all"
    )
    print(
        f"{'points in':>9} {'noise':>8} {'measured':>8} {'seconds':>8} {'times the loop':>14} "
        f"{'rms error':>9} {'largest':>8} {'within 1 s.e.':>13} {'2 s.e.':>6}"
    )
    for row in rows:
        print(
            f"{row.arithmetic:>9} {row.noise:8.1e} {row.measured:8} {row.seconds:8.1f} "
            f"{row.speed:14.1f} {100 * row.rms_error:8.2f}% {100 * row.largest_error:7.1f}% "
            f"{row.within_one:13.2f} {row.within_two:6.2f}"
        )
    if arguments.json:
        report = {"loop_seconds": point, "rows": [asdict(row) for row in rows]}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
