"""The time for a point of a loss surface, here and with the loops of other tools.

    python -m benchmarks.surface [--images 2048] [--points 4] [--rounds 5] [--json FILE]

The case is a ResNet-20 (He et al., 2016, section 4.2) on pictures of 32x32: random ones with
random weights, which take as long as real ones, unless --checkpoint and --data-dir name others.
Every method evaluates the same points along the same filter-normalised directions. Rounds take
the methods in turn, and a ratio is the median over rounds of the times within a round, so that a
machine that slows down slows all of them. Each speed comes with the largest difference of its
losses from those of the plain module in float64.

(a) The original tool's loop (github.com/tomgoldstein/loss-landscape), written anew from what it
    does: a DataLoader with two workers that decodes and normalises every picture for every point,
    batches of 128, directions read from the HDF5 file at every point, every tensor rebuilt, and
    loss and hits fetched from the device after every batch.
(b) The package loss-landscapes: ``planar_interpolation``, all data in one batch. Its grid zigzags,
    so its points are compared with the coordinates that it really evaluates.

As in its commands, this project's methods run with freed memory kept
(landscape/runtime/machine/allocator.py); the other methods run with the default behaviour of glibc.
"""

import argparse
import copy
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from benchmarks.cases import add_case_arguments, load_case, normalised
from benchmarks.surface_methods import ExactLosses, OriginalLoop, Package, Pictures, Point
from landscape.directions.direction import Direction, random_direction
from landscape.directions.files import direction_arrays
from landscape.objective.objective import Objective
from landscape.runtime.machine.allocator import keep_freed_memory, return_freed_memory
from landscape.slices.choose_mode import choose_mode
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator


@dataclass(frozen=True)
class Row:
    """One method: seconds a point (median of rounds), times faster than (a), error of its loss."""

    method: str
    seconds: float
    speed: float
    largest_error: float


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure all methods; returns the rows of the table and the circumstances."""
    keep_freed_memory()
    model, pixels, targets = load_case(arguments)
    values = normalised(torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255))
    objective = Objective(model, (values, targets), device="cpu")
    generator = torch.Generator().manual_seed(0)
    directions = [random_direction(objective.layout, objective.theta, generator) for _ in range(2)]
    # Without the origin, which is always evaluated by the plain module.
    side = np.linspace(0.1, 0.5, max(2, round(arguments.points**0.5)))
    points = [(float(x), float(y)) for y in side for x in side][: arguments.points]
    steps = max(2, round(arguments.points**0.5))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "directions.h5"
        with h5py.File(file, "w") as opened:
            for name, direction in zip(("xdirection", "ydirection"), directions, strict=True):
                for key, array in direction_arrays(direction, name, model).items():
                    opened[key] = array
        modes = _modes(objective, directions, arguments)
        return_freed_memory()
        methods: dict[str, Callable[[], list[float]]] = {}
        original = OriginalLoop(copy.deepcopy(model), Pictures(pixels, targets), file)
        methods["(a) the original's loop"] = lambda: original(points)
        where = dict.fromkeys(methods, points)
        try:
            package = Package(copy.deepcopy(model), (values, targets), directions)
        except ImportError:
            package = None
        if package is not None:
            methods["(b) loss-landscapes"] = partial(package, steps)
            where["(b) loss-landscapes"] = package.points(steps)
        for name, mode in modes.items():
            evaluator = PointEvaluator(objective, directions, "train", mode=mode)
            methods[name] = _timed_points(evaluator, points)
            where[name] = points
        exact = ExactLosses(model, values, targets, directions)
        rows = _compare(methods, where, exact, arguments.rounds)
    return {
        "rows": [asdict(row) for row in rows],
        "images": len(targets),
        "points": len(points),
        "rounds": arguments.rounds,
        "batch_size": objective.batches[0].size,
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "missing": [] if package else ["loss-landscapes: pip install loss-landscapes"],
    }


def _timed_points(evaluator: PointEvaluator, points: Sequence[Point]) -> Callable[[], list[float]]:
    def measure() -> list[float]:
        keep_freed_memory()
        losses = [float(evaluator(point)[0]) for point in points]
        evaluator.close()
        return_freed_memory()
        return losses

    return measure


def _modes(
    objective: Objective, directions: list[Direction], arguments: argparse.Namespace
) -> dict[str, EvaluationMode]:
    corner = [(0.0, 0.0), (0.5, 0.5)]
    chosen = choose_mode(objective, directions, "train", corner, 51 * 51)
    modes = {"this project, plain module": EvaluationMode("fp32")}
    modes[f"this project, as it chooses ({_describe(chosen)})"] = chosen
    if arguments.all_forms:
        modes["this project, rewritten"] = EvaluationMode("fp32", rewritten=True)
        modes["this project, rewritten, compiled"] = EvaluationMode(
            "fp32", rewritten=True, compiled=True
        )
        modes["this project, rewritten, bf16"] = EvaluationMode("bf16", rewritten=True)
    return modes


def _describe(mode: EvaluationMode) -> str:
    words = [mode.precision, *(["rewritten"] if mode.rewritten else [])]
    return ", ".join([*words, *(["compiled"] if mode.compiled else [])])


def _compare(
    methods: dict[str, Callable[[], list[float]]],
    where: dict[str, list[Point]],
    exact: ExactLosses,
    rounds: int,
) -> list[Row]:
    losses = {name: method() for name, method in methods.items()}  # also the warm-up
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            started = time.perf_counter()
            count = len(method())
            seconds[name].append((time.perf_counter() - started) / count)
    first = next(iter(methods))
    rows = []
    for name, values in losses.items():
        paired = zip(seconds[first], seconds[name], strict=True)
        truth = [exact(point) for point in where[name]]
        error = max(abs(a / b - 1) for a, b in zip(values, truth, strict=True))
        speed = statistics.median(a / b for a, b in paired)
        rows.append(Row(name, statistics.median(seconds[name]), speed, error))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--all-forms", action="store_true", help="also modes that are not chosen")
    add_case_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    report = run(arguments)
    print(
        f"{report['images']} pictures, {report['points']} points, {report['rounds']} rounds, "
        f"{report['threads']} threads, torch {report['torch']}, batches of {report['batch_size']}"
    )
    print(f"{'method':58} {'s/point':>8} {'times (a)':>10} {'largest error of the loss':>26}")
    for row in report["rows"]:
        print(
            f"{row['method']:58} {row['seconds']:8.3f} {row['speed']:10.2f} "
            f"{row['largest_error']:26.1e}"
        )
    for missing in report["missing"]:
        print(missing)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
