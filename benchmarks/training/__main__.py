"""Measure the loops, and print their table: ``python -m benchmarks.training``."""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.training.costs import EAGER, PLAIN, SAM, TIMM, TIMM_LAST, measure
from benchmarks.training.loops import Case
from landscape.runtime.devices import describe_device
from landscape.runtime.machine.allocator import keep_freed_memory


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
