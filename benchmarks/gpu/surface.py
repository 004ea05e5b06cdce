"""Stage (b): a point of a loss surface, against the matrix units and the original tool's loop."""

import copy
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import normalised, resnet20
from benchmarks.gpu.networks import network
from benchmarks.gpu.records import Measurement
from benchmarks.gpu.stages import Work
from benchmarks.surface_methods import OriginalLoop, Pictures, Point
from benchmarks.timing import seconds_in_turn
from landscape.directions.direction import Direction, random_direction
from landscape.directions.files import direction_arrays
from landscape.objective.objective import Objective
from landscape.slices.choose_mode import choose_mode
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator

FRACTION_AIM, RATIO_AIM = 45.0, 60.0
ROUNDS = 5
PRODUCTS_IN_A_ROW = 10
POINTS_OF_A_SURFACE = 51 * 51


@dataclass(frozen=True)
class Case:
    """A network and how many pictures a point is evaluated on.

    Attributes:
        title: its name.
        build: makes it.
        side: of the pictures, in pixels.
        images: how many pictures.
        classes: how many classes.
        precision: the arithmetic that is timed first.
        batch_sizes: how many pictures go through it at once; 0 is what the project chooses.
    """

    title: str
    build: Callable[[], nn.Module]
    side: int
    images: int
    classes: int
    precision: str
    batch_sizes: Sequence[int]


CASES = (
    Case("ViT-B/16 at 224", partial(network, "vit-b16"), 224, 2048, 1000, "bf16", (0, 256, 512)),
    Case("ResNet-20 at 32", resnet20, 32, 50_000, 10, "bf16", (0, 4096)),
)
TINY_VIT = partial(network, "vit-tiny", image_size=8, num_classes=10, depth=1)
DRY_CASES = (
    Case("ViT at 8", TINY_VIT, 8, 6, 10, "bf16", (0, 3)),
    Case("ResNet-20 at 32", resnet20, 32, 4, 10, "bf16", (0,)),
)


def measure(work: Work) -> None:
    """Time the matrix units, the cases, and last what the project chooses, which may compile."""
    rate = _matrix_rate(work)
    cases = DRY_CASES if work.is_dry else CASES
    choices = [_measure_case(case, work, rate) for case in cases]
    for choose in choices:
        choose()


def _matrix_rate(work: Work) -> float:
    """Operations a second of a large product of random bfloat16 matrices."""
    side = 64 if work.is_dry else 8192
    a, b = torch.randn(2, side, side, device=work.device, dtype=torch.bfloat16)

    def products() -> None:
        for _ in range(PRODUCTS_IN_A_ROW):
            a @ b

    seconds = seconds_in_turn({"products": products}, work.rounds(ROUNDS), work.device)["products"]
    rate = 2 * side**3 * PRODUCTS_IN_A_ROW / statistics.median(seconds)
    what = f"product of {side} x {side} bf16 matrices"
    work.recorder.measured(Measurement(what, rate / 1e12, "TFLOP/s"))
    return rate


def _measure_case(case: Case, work: Work, rate: float) -> Callable[[], None]:
    """Time a case in its own precision and the original's loop; returns what times the choice."""
    source = np.random.default_rng(0)
    shape = (case.images, case.side, case.side, 3)
    pixels = source.integers(0, 256, shape, dtype=np.uint8)
    targets = torch.from_numpy(source.integers(0, case.classes, case.images))
    values = torch.from_numpy(pixels).to(work.device).permute(0, 3, 1, 2).contiguous()
    data = normalised(values.float().div(255)), targets
    model = case.build()
    objectives = {
        size: _objective(model, data, case.precision, work, size) for size in case.batch_sizes
    }
    objective = objectives[case.batch_sizes[0]]
    generator = torch.Generator().manual_seed(0)
    directions = [random_direction(objective.layout, objective.theta, generator) for _ in range(2)]
    operations = _operations_of_an_image(objective) * case.images
    plain = PointEvaluator(objective, directions, "train", mode=EvaluationMode("fp32"))
    truth = float(plain((0.1, 0.2))[0])
    plain.close()

    def timed(name: str, objective: Objective, mode: EvaluationMode) -> float:
        """Record and return the seconds of a point."""
        evaluator = PointEvaluator(objective, directions, "train", mode=mode)
        error = abs(float(evaluator((0.1, 0.2))[0]) / truth - 1)
        calls = {name: lambda: evaluator((0.2, 0.1))}
        seconds = statistics.median(seconds_in_turn(calls, work.rounds(ROUNDS), work.device)[name])
        evaluator.close()
        note = f"{case.images} pictures, batches of {objective.batches[0].size}, "
        note += f"loss {error:.1e} from that in fp32"
        what = f"{case.title}, {name}"
        fraction = 100 * operations / seconds / rate
        for measurement in (
            Measurement(f"{what}: a point", seconds, "s", note=note),
            Measurement(f"{what}: share of the matrix rate", fraction, "%", FRACTION_AIM, False),
        ):
            work.recorder.measured(measurement)
        return seconds

    rewritten = EvaluationMode(case.precision, rewritten=case.build is resnet20)
    best = min(
        timed(f"{case.precision}, {_batches(size)}", sized, rewritten)
        for size, sized in objectives.items()
    )
    name = f"{case.title}, the original's loop"
    try:
        with tempfile.TemporaryDirectory() as folder:
            original = _original_loop(model, pixels, targets, directions, Path(folder), work)
            calls = {name: lambda: original([(0.2, 0.1)])}
            seconds = min(seconds_in_turn(calls, work.rounds(2), work.device)[name])
    except RuntimeError as error:  # its workers need shared memory, of which there may be little
        work.recorder.write("missing", what=[f"{name}: {error}"])
    else:
        work.recorder.measured(Measurement(f"{name}: a point", seconds, "s"))
        what = f"{name} over {case.precision}"
        work.recorder.measured(Measurement(what, seconds / best, "", RATIO_AIM, False))

    def choose() -> None:
        compilation = "off" if work.is_dry else "auto"
        automatic = _objective(model, data, "auto", work, compilation=compilation)
        probes = [(0.0, 0.0), (0.5, 0.5)]
        chosen = choose_mode(automatic, directions, "train", probes, POINTS_OF_A_SURFACE)
        form = f"{'rewritten, ' * chosen.rewritten}{'compiled, ' * chosen.compiled}"
        timed(f"as it chooses ({form}{chosen.precision})", automatic, chosen)

    return choose


def _batches(size: int) -> str:
    return f"batches of {size}" if size else "batches as it chooses"


def _objective(
    model: nn.Module,
    data: tuple[Tensor, Tensor],
    precision: str,
    work: Work,
    batch_size: int = 0,
    compilation: str = "off",
) -> Objective:
    return Objective(
        model,
        data,
        batch_size=batch_size,
        device=work.device,
        precision=precision,
        compile=compilation,
        verify=False,
    )


def _operations_of_an_image(objective: Objective) -> float:
    """The floating-point operations of a forward pass, by torch's counter."""
    batch = objective.batches[0].slice(0, 2)
    counter = FlopCounterMode(display=False)
    with objective.evaluating(), sdpa_kernel(SDPBackend.MATH), counter:
        objective.forward(batch)
    return counter.get_total_flops() / 2


def _original_loop(
    model: nn.Module,
    pixels: Any,
    targets: Tensor,
    directions: Sequence[Direction],
    folder: Path,
    work: Work,
) -> Callable[[Sequence[Point]], list[float]]:
    file = folder / "directions.h5"
    with h5py.File(file, "w") as opened:
        for name, direction in zip(("xdirection", "ydirection"), directions, strict=True):
            for key, array in direction_arrays(direction, name, model).items():
                opened[key] = array
    return OriginalLoop(copy.deepcopy(model).to(work.device), Pictures(pixels, targets), file)
