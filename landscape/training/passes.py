"""Passes of micro-batches through the model: the loss, its gradient, and attacks on the inputs."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from landscape.data.feed import stream_seed
from landscape.robustness.attacks import FAST_STEP, Ball
from landscape.training.scale.data_parallel import SINGLE_PROCESS, DataParallelGroup
from landscape.training.scale.precision import autocast
from landscape.training.settings import TrainSettings

# Inputs and targets.
MicroBatch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Task:
    """What is minimised.

    Attributes:
        loss: A mean over samples, given outputs and targets.
        errors: For each sample whether the outputs are wrong, given outputs and targets.
        ball: The ball around the inputs within which they are attacked, if they are.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    errors: Callable[[Tensor, Tensor], Tensor]
    ball: Ball | None = None


class Passes:
    """Passes through a model, whose gradients are collected in ``.grad``.

    Args:
        model: The model; its trainable parameters get gradients.
        task: The loss, and the ball for attacks.
        settings: How to train.
        group: The processes that share every batch.
        compiled: What to call instead of ``model``.
        some_unused: Whether some trainable parameters do not enter the loss.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        settings: TrainSettings,
        group: DataParallelGroup = SINGLE_PROCESS,
        *,
        compiled: nn.Module | None = None,
        some_unused: bool = False,
    ) -> None:
        self.model = model
        self.task = task
        self.settings = settings
        self.group = group
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self._forward = model if compiled is None else compiled
        # Backward passes through this one average the gradients over ranks.
        self._synchronised = group.wrap(self._forward, some_unused=some_unused)

    def split(self, inputs: Tensor, targets: Tensor) -> list[MicroBatch]:
        """Split samples into the micro-batches that pass through the model one by one."""
        size = -(-len(targets) // self.settings.accumulate)
        return list(zip(inputs.split(size), targets.split(size), strict=True))

    def seed(self, step_seed: int, number: int) -> int:
        """The seed of a micro-batch of a step, different in every rank."""
        return stream_seed(step_seed, number, self.group.ranks.rank)

    def loss(self, inputs: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """The mean loss and the share of errors; ``seed`` determines which units are dropped."""
        return self._evaluate(self._forward, inputs, targets, seed)

    def backward(self, micro_batch: MicroBatch, seed: int, weight: float, is_last: bool) -> Tensor:
        """Add the gradient of ``weight`` times the loss to ``.grad``.

        Args:
            micro_batch: Inputs and targets.
            seed: Determines which units are dropped.
            weight: The share of this micro-batch in the whole batch.
            is_last: Whether this pass completes ``.grad``, which is then averaged over ranks.

        Returns:
            ``weight`` times the loss and the share of errors, of shape (2,).
        """
        module = self._synchronised
        with nullcontext() if is_last else self.group.unsynchronised(module):
            loss, errors = self._evaluate(module, *micro_batch, seed)
            (weight * loss).backward()
        return weight * torch.stack([loss.detach().double(), errors])

    def attack_start(self, inputs: Tensor, seed: int) -> Tensor:
        """A random point in the ball around ``inputs``, which requires a gradient."""
        assert self.task.ball is not None
        return self.task.ball.random(inputs, torch.Generator().manual_seed(seed)).requires_grad_()

    def attack(self, inputs: Tensor, start: Tensor, gradient: Tensor) -> Tensor:
        """One step of fast adversarial training (Wong et al., 2020) from ``start`` uphill."""
        ball = self.task.ball
        assert ball is not None
        return ball.step(inputs, start.detach(), gradient, FAST_STEP * ball.radius)

    def _evaluate(
        self, module: nn.Module, inputs: Tensor, targets: Tensor, seed: int
    ) -> tuple[Tensor, Tensor]:
        if inputs.device.type == "cpu":
            # torch.manual_seed formats the stack three times for devices that may not exist.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)
        with autocast(self.settings, inputs.device):
            outputs = module(inputs)
        if outputs.dtype in (torch.bfloat16, torch.float16):
            outputs = outputs.float()
        loss = self.task.loss(outputs, targets)
        errors = self.task.errors(outputs.detach(), targets).double().mean()
        return loss, errors
