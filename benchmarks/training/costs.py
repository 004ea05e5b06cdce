"""The time for a step of each loop, measured in turn."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.timing import seconds_in_turn, seconds_of
from benchmarks.training.loops import RHO, Case, bare, bare_sam, ours, timm_script

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
