"""What a training step costs: ours, timm's, bare PyTorch's and pytorch_optimizer's, in one run.

    python -m benchmarks.training [--network resnet|vit|mixer] [--batch-size 128] [--width 0]
                                  [--precision fp32|bf16] [--compile] [--device auto]
                                  [--cpu-time] [--json FILE]

All loops train the same network on the same random pictures, which are on the device, for the same
number of steps a round, in turn. Seconds are medians over rounds, and a ratio is the median over
rounds of the ratios within a round. Every loop draws an order, gathers batches, normalises them,
and steps AdamW. The bare loop is what one writes by hand; timm's does what its train.py does for
one process without augmentation (``benchmarks.training_loops.timm_script`` says what was left out).
Ours is the whole of landscape.training with gradient norm, schedule and checks. SAM is compared
with our plain step, and with pytorch_optimizer's SAM around the same AdamW in a bare loop.

--cpu-time counts seconds of the processor, for a machine that others use, too: on one thread,
OMP_NUM_THREADS=1. --compile compiles all loops but two of ours, and prints how long that took.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from benchmarks.timing import seconds_in_turn, seconds_of
from benchmarks.training_loops import RHO, Case, bare, bare_sam, ours, timm_script
from landscape.runtime.allocator import keep_freed_memory
from landscape.runtime.devices import describe_device

PLAIN, SAM = "ours", "ours, SAM"
TIMM, TIMM_LAST = "timm's train.py", "timm's train.py, channels last"
EAGER = ", not compiled"


@dataclass(frozen=True)
class Cost:
    """The seconds of a step, also in units of other loops' steps of the same round.

    Attributes:
        loop: What was timed.
        seconds: A step, as a median over rounds.
        bare_steps: Steps of the bare loop.
        plain_steps: Steps of our plain loop.
        images_per_second: Pictures a second.
        first_epoch: The seconds of the first epoch by the clock on the wall, with compilation.
    """

    loop: str
    seconds: float
    bare_steps: float
    plain_steps: float
    images_per_second: float
    first_epoch: float


def loops_of(case: Case) -> dict[str, Callable[[], object]]:
    """All loops by name; those whose library is missing are left out, with a message."""
    compiled = case.arguments.compile
    loops: dict[str, Callable[[], object]] = {
        "bare PyTorch": bare(case),
        "bare PyTorch, channels last": bare(case, channels_last=True),
        PLAIN: ours(case, 0.0, compiled=compiled),
        SAM: ours(case, RHO, compiled=compiled),
    }
    if compiled:
        loops[PLAIN + EAGER] = ours(case, 0.0, compiled=False)
        loops[SAM + EAGER] = ours(case, RHO, compiled=False)
    others: dict[str, Callable[[], Callable[[], object]]] = {
        TIMM: partial(timm_script, case),
        TIMM_LAST: partial(timm_script, case, channels_last=True),
        "pytorch_optimizer's SAM": partial(bare_sam, case),
        "pytorch_optimizer's SAM, channels last": partial(bare_sam, case, channels_last=True),
    }
    for name, make in others.items():
        try:
            loops[name] = make()
        except ImportError as error:
            print(f"{name} is left out: {error}")
    return loops


def measure(case: Case, rounds: int, clock: Callable[[], float] = time.perf_counter) -> list[Cost]:
    """The median seconds of a step of each loop; each epoch is timed in turn."""
    loops = loops_of(case)
    first = {name: seconds_of(epoch, case.device) for name, epoch in loops.items()}
    epochs = seconds_in_turn(loops, rounds, case.device, clock)
    steps, size = case.arguments.steps, case.arguments.batch_size
    medians = {name: statistics.median(times) / steps for name, times in epochs.items()}
    return [
        Cost(
            name,
            median,
            ratio(epochs[name], epochs["bare PyTorch"]),
            ratio(epochs[name], epochs[PLAIN]),
            size / median,
            first[name],
        )
        for name, median in medians.items()
    ]


def ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """The median over rounds of the ratio of two times."""
    return statistics.median(a / b for a, b in zip(times, others, strict=True))


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What a step of training costs.")
    parser.add_argument("--network", choices=("resnet", "vit", "mixer"), default="vit")
    parser.add_argument("--width", type=int, default=0, help="of the network; 0: tiny")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10, help="a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cpu-time", action="store_true", help="seconds of the processor")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()
    case = Case(arguments)
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    costs = measure(case, arguments.rounds, clock)
    parameters = sum(p.numel() for p in case.model.parameters())
    print(
        f"{arguments.network}, {parameters / 1e6:.2f} M parameters, batches of "
        f"{arguments.batch_size}, {arguments.precision}, {describe_device(case.device)}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    print(f"{'one step':40s}{'ms':>9s}{'bare steps':>12s}{'our steps':>12s}{'images/s':>10s}")
    for cost in costs:
        print(
            f"{cost.loop:40s}{1e3 * cost.seconds:9.1f}{cost.bare_steps:12.3f}"
            f"{cost.plain_steps:12.3f}{cost.images_per_second:10,.0f}"
        )
    by_name = {cost.loop: cost for cost in costs}
    print(f"SAM over plain, ours: {by_name[SAM].plain_steps:.3f}")
    for name in (TIMM, TIMM_LAST):
        if name in by_name:
            print(f"our plain step over that of {name}: {1 / by_name[name].plain_steps:.3f}")
    if arguments.compile:
        for name in (PLAIN, SAM):
            seconds = by_name[name].first_epoch - by_name[name + EAGER].first_epoch
            print(f"compilation of {name}: {seconds:.1f} s by the clock on the wall")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=2))


if __name__ == "__main__":
    main()
