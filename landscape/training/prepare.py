"""Preparing a model and its task for a training."""

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from landscape.data.feed import stream_seed
from landscape.data.samples import Normalization, Samples
from landscape.errors import InputError
from landscape.models.probe import find_classifier
from landscape.robustness.attacks import Ball
from landscape.runtime.cost import need_memory
from landscape.runtime.devices import free_memory
from landscape.training.passes import Task
from landscape.training.scale.data_parallel import DataParallelGroup
from landscape.training.scale.recompute import recompute_blocks
from landscape.training.settings import TrainSettings
from landscape.training.tasks.contrastive import (
    Projected,
    nearest_other_is_wrong,
    supervised_contrastive_loss,
)
from landscape.training.tasks.losses import TRAINING_LOSSES, class_numbers

PROJECTION_STREAM = 21


class Prepared(NamedTuple):
    """A model that is ready to be trained.

    Attributes:
        module: What is trained: the model, or the model with a projection.
        task: What is minimised.
        compiled: What to call instead of ``module``, with ``--compile``.
        some_unused: Whether some trainable parameters do not enter the loss; known only for
            several processes.
    """

    module: nn.Module
    task: Task
    compiled: nn.Module | None
    some_unused: bool


def prepare(
    model: nn.Module,
    samples: Samples,
    settings: TrainSettings,
    device: torch.device,
    group: DataParallelGroup,
) -> Prepared:
    """Move ``model`` to the device and freeze, wrap and compile it as the settings say.

    Raises:
        InputError: The settings don't fit the model, the data or the number of processes.
    """
    world_size = group.ranks.world_size
    if settings.batch_size % world_size:
        raise InputError(
            f"--batch-size {settings.batch_size} can't be shared among {world_size} "
            f"processes; pass a multiple of {world_size}"
        )
    if len(samples) < world_size:
        raise InputError(
            f"{len(samples)} samples are too few for {world_size} processes; start fewer"
        )
    if world_size > 1 and settings.task == "contrastive":
        raise InputError(
            "--task contrastive compares all samples of a batch with each other, which takes one "
            "process; leave torchrun out"
        )
    model.to(device)
    if settings.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    example = samples.fetch(torch.zeros(1, dtype=torch.int64)).to(device)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), example.dtype)
    example = example.to(dtype) if example.is_floating_point() else example
    module = model
    if settings.train == "head" or settings.task == "contrastive":
        head = find_classifier(model, example)
        if settings.train == "head":
            model.requires_grad_(False)
            model.get_submodule(head).requires_grad_(True)
        else:
            torch.manual_seed(stream_seed(settings.seed, PROJECTION_STREAM))
            module = Projected(model, head)
    if settings.recompute:
        recompute_blocks(model)
    if settings.compile:
        compiled = torch.compile(module)
        assert isinstance(compiled, nn.Module)
    else:
        compiled = None
    some_unused = world_size > 1 and _has_unused(module, example)
    return Prepared(module, _task(samples, settings), compiled, some_unused)


def need_training_memory(
    model: nn.Module, samples: Samples, settings: TrainSettings, device: torch.device
) -> None:
    """Refuse a training that there is no memory for; announce one that takes much.

    Beside the weights there are their gradients, the moments of the optimizer, those that SAM
    returns to and the moving average, and the inputs of a batch; activations are not counted.

    Raises:
        NotMeasurableError: There is not that much memory.
    """
    moments = 2 if settings.opt == "adamw" else int(settings.momentum > 0)
    copies = 1 + moments + (settings.rho > 0) + (settings.ema > 0)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    batch_size = min(settings.batch_size, len(samples))
    inputs = batch_size * math.prod(samples.input_shape) * torch.float32.itemsize
    need_memory(
        copies * weights + inputs,
        f"training with batches of {batch_size:,} inputs of shape {samples.input_shape}",
        "lower --batch-size, --image-size or the sizes in --model-args",
        free_memory(device),
    )


def _task(samples: Samples, settings: TrainSettings) -> Task:
    """What is minimised; InputError for an attack on what is no picture."""
    if settings.task == "contrastive":
        loss = partial(supervised_contrastive_loss, temperature=settings.temperature)
        return Task(loss, nearest_other_is_wrong)
    ball = None
    if settings.task == "adversarial":
        normalization: Normalization | None = getattr(samples, "normalization", None)
        if len(samples.input_shape) != 3:
            raise InputError(
                "--task adversarial is for pictures, not for inputs of shape "
                f"{tuple(samples.input_shape)}"
            )
        ball = Ball(settings.attack / 255, normalization)
    return Task(TRAINING_LOSSES[settings.loss], _is_wrong, ball)


def _is_wrong(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.argmax(1) != class_numbers(targets)


def _has_unused(module: nn.Module, example: Tensor) -> bool:
    """Whether some trainable parameter does not enter the outputs."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    total = module.eval()(example).float().sum()
    return any(g is None for g in torch.autograd.grad(total, parameters, allow_unused=True))
