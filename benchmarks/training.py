"""What a training step costs: ours, bare PyTorch loops and pytorch_optimizer, in one run.

    python -m benchmarks.training [--network resnet|vit|mixer] [--batch-size 128] [--width 0]
                                  [--precision fp32|bf16] [--compile] [--device auto] [--json FILE]

All loops train the same network on the same random pictures, which are on the device, for the same
number of steps a round, in turn; the table has the median over rounds. Every loop draws an order,
gathers batches, normalises them, and steps AdamW. The bare loop is what one writes by hand, and
what timm's train script does for one process without augmentation. Ours is the whole of
landscape.training with gradient norm, schedule and checks. SAM is compared with our plain step, and
with pytorch_optimizer's SAM around the same AdamW in a bare loop.
"""

import argparse
import copy
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.timing import seconds_in_turn
from landscape.data.feed import to_device
from landscape.data.samples import Normalization, TensorSamples
from landscape.models.catalog import resolve_model
from landscape.runtime.allocator import keep_freed_memory
from landscape.runtime.devices import describe_device, resolve_device
from landscape.training.augmentation.augment import Augmentation
from landscape.training.epoch import train_epoch
from landscape.training.optimizer import make_optimizer
from landscape.training.prepare import prepare
from landscape.training.scale.data_parallel import SINGLE_PROCESS
from landscape.training.settings import TrainSettings
from landscape.training.step import Stepper

RHO = 0.05


@dataclass(frozen=True)
class Cost:
    """The seconds of a step, also in units of a step of the bare loop."""

    loop: str
    seconds: float
    bare_steps: float
    images_per_second: float


class Case:
    """A network and pictures on the device."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.arguments = arguments
        self.device = resolve_device(arguments.device)
        facts = {"image_size": 32, "channels": 3, "num_classes": 10}
        sizes = {} if not arguments.width else _sizes(arguments.network, arguments.width)
        spec = resolve_model(f"{arguments.network}-tiny", sizes, facts, fit_to_data=True)
        self.model = spec.build()
        count = arguments.batch_size * arguments.steps
        pictures = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
        samples = TensorSamples(
            pictures, torch.randint(10, (count,)), normalization=Normalization((0.5,), (0.25,))
        )
        self.samples = to_device(samples, self.device, torch.float32)

    def settings(self, rho: float) -> TrainSettings:
        """The settings of our loop."""
        return TrainSettings(
            rho=rho,
            batch_size=self.arguments.batch_size,
            epochs=1000,
            precision=self.arguments.precision,
            compile=self.arguments.compile,
            device=str(self.device),
        )


def ours(case: Case, rho: float) -> Callable[[], object]:
    """An epoch of landscape.training."""
    model, settings = copy.deepcopy(case.model), case.settings(rho)
    prepared = prepare(model, case.samples, settings, case.device, SINGLE_PROCESS)
    optimizer = make_optimizer(model, settings)
    stepper = Stepper(model, optimizer, prepared.task, settings, compiled=prepared.compiled)
    augmentation = Augmentation(settings, case.samples, 0)
    epochs = iter(range(1000))
    return lambda: list(train_epoch(stepper, case.samples, augmentation, next(epochs)))


def bare(case: Case, *, channels_last: bool = False) -> Callable[[], object]:
    """An epoch as written by hand."""
    model, layout = _hand_made(case, channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)

    def epoch() -> None:
        for inputs, targets in _batches(case, layout):
            optimizer.zero_grad()
            _loss(case, model, inputs, targets).backward()
            optimizer.step()

    return epoch


def bare_sam(case: Case, *, channels_last: bool = False) -> Callable[[], object]:
    """The same with pytorch_optimizer's SAM."""
    from pytorch_optimizer import SAM

    model, layout = _hand_made(case, channels_last)
    optimizer = SAM(model.parameters(), torch.optim.AdamW, rho=RHO, lr=1e-3, weight_decay=0.1)

    def epoch() -> None:
        for inputs, targets in _batches(case, layout):
            _loss(case, model, inputs, targets).backward()
            optimizer.first_step(zero_grad=True)
            _loss(case, model, inputs, targets).backward()
            optimizer.second_step(zero_grad=True)

    return epoch


def _hand_made(case: Case, channels_last: bool) -> tuple[nn.Module, torch.memory_format]:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = copy.deepcopy(case.model).to(case.device).train()
    model.to(memory_format=layout)  # type: ignore[call-overload]
    if case.arguments.compile:
        compiled = torch.compile(model)
        assert isinstance(compiled, nn.Module)
        return compiled, layout
    return model, layout


def _loss(case: Case, model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    enabled = case.arguments.precision == "bf16"
    with torch.autocast(case.device.type, torch.bfloat16, enabled=enabled):
        return F.cross_entropy(model(inputs), targets)


def _batches(case: Case, layout: torch.memory_format) -> list[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(case.samples), device=case.device)
    return [
        (
            case.samples.fetch(indices).contiguous(memory_format=layout),
            case.samples.targets[indices],
        )
        for indices in order.split(case.arguments.batch_size)
    ]


def _sizes(network: str, width: int) -> dict[str, int]:
    if network == "resnet":
        return {"width": width}
    wide = {"dim": width, "depth": 6}
    if network == "vit":
        return {**wide, "heads": max(1, width // 64), "mlp_dim": 4 * width}
    return {**wide, "token_dim": width // 2, "channel_dim": 4 * width}


def measure(case: Case, rounds: int) -> list[Cost]:
    """The median seconds of a step of each loop; each epoch is timed in turn."""
    loops: dict[str, Callable[[], object]] = {
        "bare PyTorch": bare(case),
        "bare PyTorch, channels last": bare(case, channels_last=True),
        "ours": ours(case, 0.0),
        "ours, SAM": ours(case, RHO),
    }
    try:
        loops["pytorch_optimizer's SAM"] = bare_sam(case)
        loops["pytorch_optimizer's SAM, channels last"] = bare_sam(case, channels_last=True)
    except ImportError:
        print("pytorch_optimizer is not installed: its SAM is left out")
    epochs = seconds_in_turn(loops, rounds, case.device)
    steps = case.arguments.steps
    medians = {name: statistics.median(times) / steps for name, times in epochs.items()}
    base = medians["bare PyTorch"]
    size = case.arguments.batch_size
    return [Cost(name, median, median / base, size / median) for name, median in medians.items()]


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
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()
    case = Case(arguments)
    costs = measure(case, arguments.rounds)
    parameters = sum(p.numel() for p in case.model.parameters())
    print(
        f"{arguments.network}, {parameters / 1e6:.2f} M parameters, batches of "
        f"{arguments.batch_size}, {arguments.precision}, {describe_device(case.device)}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    print(f"{'one step':40s}{'ms':>9s}{'bare steps':>12s}{'images/s':>10s}")
    for cost in costs:
        print(
            f"{cost.loop:40s}{1e3 * cost.seconds:9.1f}{cost.bare_steps:12.2f}"
            f"{cost.images_per_second:10,.0f}"
        )
    by_name = {cost.loop: cost.seconds for cost in costs}
    print(f"SAM over plain, ours: {by_name['ours, SAM'] / by_name['ours']:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=2))


if __name__ == "__main__":
    main()
