"""One step of a training: a gradient, plain or sharpness-aware, and the optimizer."""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from landscape.training.passes import Passes, Task
from landscape.training.sam.ascent import frozen_batch_statistics, norm_of
from landscape.training.sam.corrections import LookSam
from landscape.training.sam.sharp_gradient import SharpGradient
from landscape.training.scale.data_parallel import SINGLE_PROCESS, DataParallelGroup
from landscape.training.settings import TrainSettings


class Stepper:
    """Takes one step after the other.

    Its state, beside the optimizer's, is LookSAM's direction.

    Args:
        model: The model; its trainable parameters are updated.
        optimizer: The base optimizer over these parameters.
        task: What is minimised.
        settings: How to train.
        group: The processes that share every batch.
        compiled: What to call instead of ``model``.
        some_unused: Whether some trainable parameters do not enter the loss.

    Raises:
        InputError: SAM perturbs no parameter of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        task: Task,
        settings: TrainSettings,
        group: DataParallelGroup = SINGLE_PROCESS,
        *,
        compiled: nn.Module | None = None,
        some_unused: bool = False,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.task = task
        self.settings = settings
        self.group = group
        self._passes = Passes(
            model, task, settings, group, compiled=compiled, some_unused=some_unused
        )
        self._sharp_gradient = SharpGradient(self._passes, optimizer) if settings.rho > 0 else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._passes.parameters[0].device

    @property
    def looksam(self) -> LookSam | None:
        """The state of LookSAM, if that is the method."""
        return None if self._sharp_gradient is None else self._sharp_gradient.sam.passes.looksam

    def load_direction(self, direction: Sequence[Tensor] | None) -> None:
        """Resume LookSAM, if that is the method, from its ``direction``."""
        if self._sharp_gradient is not None:
            self._sharp_gradient.sam.passes.load_direction(direction)

    def step(self, inputs: Tensor, targets: Tensor, number: int, rho: float, seed: int) -> Tensor:
        """Take a step with this rank's samples of a batch.

        All passes of a step drop the same units, so that they see one function.

        Args:
            inputs: The inputs.
            targets: Class numbers, or shares of classes.
            number: The number of the step, from 0 over the whole run.
            rho: The radius of SAM; 0 for a plain step.
            seed: Determines which units are dropped.

        Returns:
            Loss, share of errors, gradient norm and surrogate gap at the start of the step, as
            means over samples, of shape (4,). The gap is 0 for a plain step.
        """
        self.optimizer.zero_grad(set_to_none=True)
        sharp_gradient = self._sharp_gradient if rho > 0 else None
        sam = None if sharp_gradient is None else sharp_gradient.sam
        if sam is not None:
            sam.rho, sam.steps = rho, number
        if sharp_gradient is not None and sharp_gradient.sam.is_sharp_step:
            record = sharp_gradient.compute(inputs, targets, seed)
        else:
            record = self._plain_gradient(inputs, targets, seed)
            if sam is not None:
                sam.first_step(zero_grad=False)
        if sam is not None:
            sam.correct_gradients()
        if self.settings.clip > 0:
            nn.utils.clip_grad_norm_(self._passes.parameters, self.settings.clip)
        (sam or self.optimizer).step()
        return record

    def _plain_gradient(self, inputs: Tensor, targets: Tensor, seed: int) -> Tensor:
        """Leave grad L(w), over the batch as attacked, in ``.grad``; returns as :meth:`step`."""
        passes, attacks = self._passes, self.task.ball is not None
        micro_batches = passes.split(inputs, targets)
        sums = torch.zeros(2, dtype=torch.float64, device=inputs.device)
        for number, (x, y) in enumerate(micro_batches):
            pass_seed = passes.seed(seed, number)
            if attacks:
                start = passes.attack_start(x, pass_seed)
                loss, _ = passes.loss(start, y, pass_seed)
                (slope,) = torch.autograd.grad(loss, [start])
                x = passes.attack(x, start, slope)
            is_last = number == len(micro_batches) - 1
            # BatchNorm's running statistics are those of the first pass.
            with frozen_batch_statistics(self.model) if attacks else nullcontext():
                sums += passes.backward((x, y), pass_seed, len(y) / len(targets), is_last)
        norm = norm_of([p.grad for p in passes.parameters])
        return torch.stack([*sums, norm.to(sums), sums.new_zeros(())])
