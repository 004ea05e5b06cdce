"""How long a point of a loss surface takes, against the loops of other tools, in one run.

    python -m benchmarks.surface [--images 2048] [--points 4] [--rounds 5] [--json FILE]

The case is a ResNet-20 (He et al., 2016, section 4.2) on pictures of 32x32: random ones with
random weights, which take as long as real ones, unless --checkpoint and --data-dir name others.
Every method evaluates the same points along the same filter-normalised directions. Rounds take
the methods in turn, and a ratio is the median over rounds of the times within one round, so that
a machine that slows down slows all of them. Beside each speed stands how far its losses are from
those of the module evaluated plainly in float64.

(a) The original tool's loop (github.com/tomgoldstein/loss-landscape), written anew from what it
    does: a DataLoader with two workers that decodes and normalises every picture for every point,
    batches of 128, directions read from the HDF5 file at every point, every tensor rebuilt, and
    loss and hits fetched from the device after every batch.
(b) The package loss-landscapes: ``planar_interpolation``, all data in one batch. Its grid zigzags,
    so its points are compared with the coordinates that it really evaluates.

Like its commands, this project's methods run with freed memory kept (landscape/allocator.py); the
others with what glibc comes to by itself.
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
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from landscape.checkpoints.load import load_checkpoint
from landscape.data.sources.imagefolder import image_folder
from landscape.directions.direction import Direction, random_direction
from landscape.directions.files import direction_arrays
from landscape.models.resnet import ResNet
from landscape.objective.objective import Objective
from landscape.runtime.allocator import keep_freed_memory, return_freed_memory
from landscape.slices.choose_mode import choose_mode
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
Point = tuple[float, float]
Measure = Callable[[Sequence[Point]], list[float]]


@dataclass(frozen=True)
class Row:
    """One method: seconds a point (median of rounds), times faster than (a), error of its loss."""

    method: str
    seconds: float
    speed: float
    largest_error: float


class Pictures(Dataset[tuple[Tensor, int]]):
    """Bytes that are decoded and normalised one by one, as a torchvision data set does."""

    def __init__(self, pixels: NDArray[np.uint8], targets: Tensor) -> None:
        self.pixels = pixels
        self.targets = targets.tolist()

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.pixels[index])
        values = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)
        return normalised(values), self.targets[index]


def normalised(values: Tensor) -> Tensor:
    """Pictures in [0, 1] with the usual mean and deviation of CIFAR-10."""
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (MEAN, STD))
    return (values - mean) / std


def resnet20() -> nn.Module:
    """Three stages of three basic blocks, 16 to 64 channels."""
    torch.manual_seed(0)
    model = ResNet(layers=(3, 3, 3), block="basic", width=16, stem="small", num_classes=10)
    return model.eval()


class OriginalLoop:
    """Method (a)."""

    def __init__(self, model: nn.Module, data: Pictures, file: Path) -> None:
        self.model = model
        self.file = h5py.File(file, "r")
        self.loader = DataLoader(data, batch_size=128, shuffle=False, num_workers=2)
        self.weights = [p.detach().clone() for p in model.parameters()]

    def __call__(self, points: Sequence[Point]) -> list[float]:
        """The losses at points."""
        return [self._evaluate(point) for point in points]

    def _evaluate(self, point: Point) -> float:
        groups = (self.file["xdirection"], self.file["ydirection"])
        dx, dy = ([group[str(k)] for k in range(len(group))] for group in groups)
        changes = [a[()] * point[0] + b[()] * point[1] for a, b in zip(dx, dy, strict=True)]
        for p, w, change in zip(self.model.parameters(), self.weights, changes, strict=True):
            p.data = w + torch.Tensor(change)
        total, correct, seen = 0.0, 0, 0
        with torch.no_grad():
            for inputs, targets in self.loader:
                outputs = self.model(inputs)
                total += F.cross_entropy(outputs, targets).item() * len(targets)
                correct += int(outputs.max(1).indices.eq(targets).sum().item())
                seen += len(targets)
        return total / seen


class Package:
    """Method (b); it measures a square of points of its own choice."""

    def __init__(self, model: nn.Module, data: tuple[Tensor, Tensor], directions: Any) -> None:
        from loss_landscapes import planar_interpolation
        from loss_landscapes.metrics import Loss

        self.interpolate = planar_interpolation
        self.metric = Loss(F.cross_entropy, *data)
        self.start = model
        self.ends = []
        for direction in directions:
            end = copy.deepcopy(model)
            views = direction.layout.views(direction.vector)
            with torch.no_grad():
                for parameter, view in zip(end.parameters(), views, strict=True):
                    parameter.add_(view)
            self.ends.append(end)

    def points(self, steps: int) -> list[Point]:
        """Where it really evaluates: every other column is one step ahead."""
        return [
            (i / steps, (j + (1 if i % 2 == 0 else 0)) / steps)
            for i in range(steps)
            for j in range(steps)
        ]

    def __call__(self, steps: int) -> list[float]:
        """The losses at :meth:`points`."""
        with torch.no_grad():
            found = self.interpolate(
                self.start, *self.ends, self.metric, steps, deepcopy_model=True
            )
        return [float(value) for value in np.asarray(found).ravel()]


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure; returns rows and circumstances."""
    keep_freed_memory()
    model, pixels, targets = load_case(arguments)
    values = normalised(torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255))
    objective = Objective(model, (values, targets), device="cpu")
    generator = torch.Generator().manual_seed(0)
    directions = [random_direction(objective.layout, objective.theta, generator) for _ in range(2)]
    # Not the origin, one point of a whole surface, which is always evaluated by the plain module.
    side = np.linspace(0.1, 0.5, max(2, round(arguments.points**0.5)))
    points = [(float(x), float(y)) for y in side for x in side][: arguments.points]
    steps = max(2, round(arguments.points**0.5))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "directions.h5"
        with h5py.File(file, "w") as opened:
            for name, direction in zip(("xdirection", "ydirection"), directions, strict=True):
                for key, array in direction_arrays(direction, name, model).items():
                    opened[key] = array
        chosen = _forms(objective, directions, arguments)
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
            found = package
            methods["(b) loss-landscapes"] = lambda: found(steps)
            where["(b) loss-landscapes"] = package.points(steps)
        for name, form in chosen.items():
            evaluator = PointEvaluator(objective, directions, "train", mode=form)
            methods[name] = _timed_points(evaluator, points)
            where[name] = points
        exact = _Exact(model, values, targets, directions)
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
        found = [float(evaluator(point)[0]) for point in points]
        evaluator.close()
        return_freed_memory()
        return found

    return measure


def _forms(
    objective: Objective, directions: list[Direction], arguments: argparse.Namespace
) -> dict[str, EvaluationMode]:
    corner = [(0.0, 0.0), (0.5, 0.5)]
    chosen = choose_mode(objective, directions, "train", corner, 51 * 51)
    forms = {"this project, plain module": EvaluationMode("fp32")}
    forms[f"this project, as it chooses ({_describe(chosen)})"] = chosen
    if arguments.all_forms:
        forms["this project, rewritten"] = EvaluationMode("fp32", rewritten=True)
        forms["this project, rewritten, compiled"] = EvaluationMode(
            "fp32", rewritten=True, compiled=True
        )
        forms["this project, rewritten, bf16"] = EvaluationMode("bf16", rewritten=True)
    return forms


def _describe(form: EvaluationMode) -> str:
    words = [form.precision, *(["rewritten"] if form.rewritten else [])]
    return ", ".join([*words, *(["compiled"] if form.compiled else [])])


class _Exact:
    """The losses by the plain module in float64."""

    def __init__(
        self, model: nn.Module, values: Tensor, targets: Tensor, directions: list[Direction]
    ) -> None:
        self.objective = Objective(
            model, (values, targets), device="cpu", dtype=torch.float64, verify=False
        )
        self.x, self.y = (direction.vector.double() for direction in directions)
        self.known: dict[Point, float] = {}

    def __call__(self, point: Point) -> float:
        if point not in self.known:
            theta = self.objective.theta + point[0] * self.x + point[1] * self.y
            self.known[point] = self.objective.loss(theta)
        return self.known[point]


def _compare(
    methods: dict[str, Callable[[], list[float]]],
    where: dict[str, list[Point]],
    exact: _Exact,
    rounds: int,
) -> list[Row]:
    losses = {name: method() for name, method in methods.items()}  # also the warm-up
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            started = time.perf_counter()
            found = method()
            seconds[name].append((time.perf_counter() - started) / len(found))
    first = next(iter(methods))
    rows = []
    for name, found in losses.items():
        paired = zip(seconds[first], seconds[name], strict=True)
        truth = [exact(point) for point in where[name]]
        error = max(abs(a / b - 1) for a, b in zip(found, truth, strict=True))
        speed = statistics.median(a / b for a, b in paired)
        rows.append(Row(name, statistics.median(seconds[name]), speed, error))
    return rows


def load_case(arguments: argparse.Namespace) -> tuple[nn.Module, NDArray[np.uint8], Tensor]:
    """The model in eval mode, pictures (N, 32, 32, 3) and targets that the arguments ask for."""
    source = np.random.default_rng(0)
    if arguments.data_dir:
        samples = image_folder(Path(arguments.data_dir), "train", 32, None, resident_bytes=0)
        chosen = torch.from_numpy(source.permutation(len(samples))[: arguments.images])
        pixels = samples.fetch(chosen).mul(255).round().byte().permute(0, 2, 3, 1).numpy()
        targets = samples.targets[chosen]
    else:
        pixels = source.integers(0, 256, (arguments.images, 32, 32, 3), dtype=np.uint8)
        targets = torch.from_numpy(source.integers(0, 10, arguments.images))
    if not arguments.checkpoint:
        return resnet20(), pixels, targets
    return load_checkpoint(arguments.checkpoint, arguments.model).model.eval(), pixels, targets


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--all-forms", action="store_true", help="also forms that are not chosen")
    parser.add_argument("--data-dir", help="an image folder with train/CLASS/PICTURE")
    parser.add_argument("--checkpoint", help="weights, with --model")
    parser.add_argument("--model", help="as for landscape-plot")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    found = run(arguments)
    print(
        f"{found['images']} pictures, {found['points']} points, {found['rounds']} rounds, "
        f"{found['threads']} threads, torch {found['torch']}, batches of {found['batch_size']}"
    )
    print(f"{'method':58} {'s/point':>8} {'times (a)':>10} {'largest error of the loss':>26}")
    for row in found["rows"]:
        print(
            f"{row['method']:58} {row['seconds']:8.3f} {row['speed']:10.2f} "
            f"{row['largest_error']:26.1e}"
        )
    for missing in found["missing"]:
        print(missing)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
