"""Stage (d): steps of plain training and of SAM, against loops written by hand."""

import argparse
from dataclasses import dataclass

from benchmarks.gpu.records import Measurement
from benchmarks.gpu.stages import Work
from benchmarks.training.costs import PLAIN, SAM
from benchmarks.training.costs import measure as measure_loops
from benchmarks.training.loops import Case

AIM = 2.05


@dataclass(frozen=True)
class Loop:
    """What ``benchmarks.training`` is asked for: a network of a width on 32 x 32 pixels.

    It is left out where fewer than ``needs`` seconds are left.
    """

    title: str
    network: str
    width: int
    batch_size: int
    precision: str
    compile: bool = False
    steps: int = 10
    rounds: int = 5
    needs: float = 0.0


LOOPS = (
    Loop("ViT of width 384 and depth 6, bf16", "vit", 384, 512, "bf16"),
    Loop("ResNet of width 64, bf16", "resnet", 64, 512, "bf16"),
    Loop("ViT of width 384 and depth 6, fp32", "vit", 384, 256, "fp32"),
    Loop(
        "ViT of width 384 and depth 6, bf16, compiled",
        "vit",
        384,
        512,
        "bf16",
        compile=True,
        needs=40.0,
    ),
)
DRY_LOOPS = (Loop("tiny ResNet", "resnet", 0, 2, "fp32", steps=1, rounds=1),)


def measure(work: Work) -> None:
    """Time the loops of each network."""
    for loop in DRY_LOOPS if work.is_dry else LOOPS:
        if work.seconds_left < loop.needs:
            work.recorder.write("missing", what=[f"{loop.title}: too little time is left"])
            continue
        arguments = argparse.Namespace(**vars(loop), device=str(work.device))
        costs = measure_loops(Case(arguments), loop.rounds)
        seconds = {cost.loop: cost.seconds for cost in costs}
        for cost in costs:
            note = f"batches of {loop.batch_size}, {1e3 * cost.seconds:.3g} ms a step"
            what = f"{loop.title}, {cost.loop}"
            work.recorder.measured(Measurement(what, cost.images_per_second, "images/s", note=note))
        ratio = seconds[SAM] / seconds[PLAIN]
        what = f"{loop.title}: a step of SAM over a plain one"
        work.recorder.measured(Measurement(what, ratio, "", AIM))
