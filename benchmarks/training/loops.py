"""The loops whose steps are timed: each call is an epoch over the same pictures."""

import argparse
import copy
import itertools
from collections.abc import Callable, Iterator
from importlib import import_module

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.data.feed import to_device
from landscape.data.samples import Normalization, TensorSamples
from landscape.models.catalog import resolve_model
from landscape.runtime.devices import resolve_device
from landscape.runtime.optional_imports import with_torchvision
from landscape.training.augmentation.augment import Augmentation
from landscape.training.epoch import train_epoch
from landscape.training.optimizer import make_optimizer
from landscape.training.prepare import prepare
from landscape.training.scale.data_parallel import SINGLE_PROCESS
from landscape.training.settings import TrainSettings
from landscape.training.step import Stepper

RHO = 0.05
RATE, DECAY, EPOCHS = 1e-3, 0.1, 1000


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

    def settings(self, rho: float, *, compiled: bool) -> TrainSettings:
        """The settings of our loop."""
        return TrainSettings(
            rho=rho,
            batch_size=self.arguments.batch_size,
            epochs=EPOCHS,
            lr=RATE,
            weight_decay=DECAY,
            precision=self.arguments.precision,
            compile=compiled,
            device=str(self.device),
        )


def ours(case: Case, rho: float, *, compiled: bool) -> Callable[[], object]:
    """An epoch of landscape.training."""
    model, settings = copy.deepcopy(case.model), case.settings(rho, compiled=compiled)
    prepared = prepare(model, case.samples, settings, case.device, SINGLE_PROCESS)
    optimizer = make_optimizer(model, settings)
    stepper = Stepper(model, optimizer, prepared.task, settings, compiled=prepared.compiled)
    augmentation = Augmentation(settings, case.samples, 0)
    epochs = iter(range(EPOCHS))
    return lambda: list(train_epoch(stepper, case.samples, augmentation, next(epochs)))


def bare(case: Case, *, channels_last: bool = False) -> Callable[[], object]:
    """An epoch as written by hand."""
    model, layout = _hand_made(case, channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)

    def epoch() -> None:
        for inputs, targets in _batches(case, layout):
            optimizer.zero_grad()
            _loss(case, model, inputs, targets).backward()
            optimizer.step()

    return epoch


def timm_script(case: Case, *, channels_last: bool = False) -> Callable[[], object]:
    """An epoch as timm's train.py computes it, of timm's own parts, in one process.

    That is ``train.py --opt adamw --lr 0.001 --weight-decay 0.1 --smoothing 0``, with
    ``--channels-last`` or not, without augmentation, and with timm's defaults otherwise. The script
    is no part of the package, so that what its loop does in a step is written here anew: the loss
    of its task, backward, the optimizer, the loss read for its mean, gradients cleared, and the
    schedule. Its loader, log and checkpoints are left out.

    Raises:
        ImportError: timm is not installed.
    """
    with_torchvision(lambda: import_module("timm"))
    parts = ("optim", "scheduler", "task", "utils")
    optim, scheduler, tasks, utils = (import_module(f"timm.{part}") for part in parts)
    model, layout = _hand_made(case, channels_last)
    optimizer = optim.create_optimizer_v2(model, opt="adamw", lr=RATE, weight_decay=DECAY)
    schedule, _ = scheduler.create_scheduler_v2(optimizer, sched="cosine", num_epochs=EPOCHS)
    task = tasks.ClassificationTask(model, nn.CrossEntropyLoss(), verbose=False)
    updates = itertools.count(1)

    def epoch() -> None:
        mean_loss = utils.AverageMeter()
        model.train()
        optimizer.zero_grad()
        for inputs, targets in _batches(case, layout):
            with _autocast(case):
                loss = task(inputs, targets)["loss"]
            loss.backward()
            optimizer.step()
            mean_loss.update(loss.item(), len(inputs))
            optimizer.zero_grad()
            schedule.step_update(num_updates=next(updates), metric=mean_loss.avg)

    return epoch


def bare_sam(case: Case, *, channels_last: bool = False) -> Callable[[], object]:
    """The same with pytorch_optimizer's SAM."""
    from pytorch_optimizer import SAM

    model, layout = _hand_made(case, channels_last)
    optimizer = SAM(model.parameters(), torch.optim.AdamW, rho=RHO, lr=RATE, weight_decay=DECAY)

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
    with _autocast(case):
        return F.cross_entropy(model(inputs), targets)


def _autocast(case: Case) -> torch.autocast:
    enabled = case.arguments.precision == "bf16"
    return torch.autocast(case.device.type, torch.bfloat16, enabled=enabled)


def _batches(case: Case, layout: torch.memory_format) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(case.samples), device=case.device)
    for indices in order.split(case.arguments.batch_size):
        inputs = case.samples.fetch(indices).contiguous(memory_format=layout)
        yield inputs, case.samples.targets[indices]


def _sizes(network: str, width: int) -> dict[str, int]:
    if network == "resnet":
        return {"width": width}
    wide = {"dim": width, "depth": 6}
    if network == "vit":
        return {**wide, "heads": max(1, width // 64), "mlp_dim": 4 * width}
    return {**wide, "token_dim": width // 2, "channel_dim": 4 * width}
