"""One step of a training: gradients, plain or sharpness-aware, and the optimizer."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from landscape.data.feed import stream_seed
from landscape.robustness.attacks import FAST_STEP, Ball
from landscape.training.data_parallel import ALONE, DataParallelGroup
from landscape.training.sam.ascent import (
    SharpnessAware,
    frozen_batch_statistics,
    names_in_scope,
    norm_of,
)
from landscape.training.sam.corrections import LookSam, close_surrogate_gap
from landscape.training.settings import TrainSettings

# What a step reports, in this order, each a mean over its samples and taken at its start.
RECORD = ("loss", "error", "grad_norm", "surrogate_gap")

Part = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Task:
    """What is minimised: a mean ``loss`` of outputs and targets; ``errors`` counts by sample.

    With ``ball`` inputs are attacked within it.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    errors: Callable[[Tensor, Tensor], Tensor]
    ball: Ball | None = None


class Stepper:
    """Takes one step after the other. Its state, beside the optimizer's, is LookSAM's direction."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        task: Task,
        settings: TrainSettings,
        team: DataParallelGroup = ALONE,
        *,
        compiled: nn.Module | None = None,
        some_unused: bool = False,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.task = task
        self.settings = settings
        self.team = team
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self._forward = model if compiled is None else compiled
        self._synchronised = team.wrap(self._forward, some_unused=some_unused)
        self.look = LookSam(settings.correction) if settings.sam == "looksam" else None
        if settings.rho > 0:
            scope = names_in_scope(model, settings.sam_scope)
            named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
            self._in_scope = [name in scope for name, _ in named]
            eta = settings.sam_eta if settings.sam == "asam" else None
            self._sam = SharpnessAware(self._scoped(self.parameters), eta)

    def step(self, inputs: Tensor, targets: Tensor, number: int, rho: float, seed: int) -> Tensor:
        """Step ``number`` of the run, on this rank's part of its batch; returns its RECORD (4,).

        ``rho`` = 0 makes it a plain one. All passes drop the same units, given by ``seed``, so
        that they see one function.
        """
        self.optimizer.zero_grad(set_to_none=True)
        if rho > 0 and number % self.settings.interval == 0:
            record = self._sharp_gradient(inputs, targets, rho, seed)
        else:
            record = self._plain_gradient(inputs, targets, seed)
            if self.look is not None and rho > 0:
                self._put(self.look.approximate(self._gradients()))
        if self.settings.clip > 0:
            nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimizer.step()
        return record

    def _plain_gradient(self, inputs: Tensor, targets: Tensor, seed: int) -> Tensor:
        """Leaves the mean gradient of the batch in ``.grad``."""
        parts = self._cut(inputs, targets)
        sums = torch.zeros(2, dtype=torch.float64, device=inputs.device)
        for k, (x, y) in enumerate(parts):
            part_seed = self._seed(seed, k)
            if self.task.ball is not None:
                start = self.task.ball.random(x, _generator(part_seed)).requires_grad_()
                loss, _ = self._evaluate(self._forward, start, y, part_seed)
                (slope,) = torch.autograd.grad(loss, [start])
                x = self._attacked(x, start, slope)
            is_last = k == len(parts) - 1
            # With an attack the statistics are those of its first pass.
            attacked = self.task.ball is not None
            with frozen_batch_statistics(self.model) if attacked else nullcontext():
                sums += self._backward((x, y), part_seed, len(y) / len(targets), is_last)
        return torch.stack(
            [*sums, norm_of([p.grad for p in self.parameters]).to(sums), sums.new_zeros(())]
        )

    def _sharp_gradient(self, inputs: Tensor, targets: Tensor, rho: float, seed: int) -> Tensor:
        """Leaves the mean gradient at w + e in ``.grad``, e from each group of samples."""
        size = self.settings.sam_batch or len(targets)
        groups = list(zip(inputs.split(size), targets.split(size), strict=True))
        corrects = self.settings.sam in ("gsam", "looksam")
        plain = [torch.zeros_like(p) for p in self.parameters] if corrects else []
        record = torch.zeros(len(RECORD), dtype=torch.float64, device=inputs.device)
        count = 0
        for number, group in enumerate(groups):
            share = len(group[1]) / len(targets)
            seeds = [self._seed(seed, count + k) for k in range(len(self._cut(*group)))]
            count += len(seeds)
            gradients, parts, means = self._ascent_gradient(*group, seeds)
            if self.settings.sam_sync:
                self.team.average(gradients)
            norm = norm_of(gradients)
            if corrects:
                torch._foreach_add_(plain, self._filled(gradients), alpha=share)
            self._sam.perturb(self._scoped(gradients), rho)
            del gradients
            perturbed = torch.zeros(2, dtype=torch.float64, device=inputs.device)
            with frozen_batch_statistics(self.model):
                for k, part in enumerate(parts):
                    is_last = number == len(groups) - 1 and k == len(parts) - 1
                    of_group = len(part[1]) / len(group[1])
                    perturbed += self._backward(part, seeds[k], share * of_group, is_last)
            self._sam.restore()
            gap = perturbed[0] - share * means[0]
            record += torch.stack([*(share * means), share * norm.to(means), gap])
        if corrects:
            self._correct(plain)
        return record

    def _ascent_gradient(
        self, inputs: Tensor, targets: Tensor, seeds: Sequence[int]
    ) -> tuple[list[Tensor | None], list[Part], Tensor]:
        """The mean gradient of a group, its parts for the second pass, and (loss, error)."""
        total: list[Tensor | None] = []
        parts: list[Part] = []
        means = torch.zeros(2, dtype=torch.float64, device=inputs.device)
        for (x, y), seed in zip(self._cut(inputs, targets), seeds, strict=True):
            share = len(y) / len(targets)
            start = x
            wanted: list[Tensor] = list(self.parameters)
            if self.task.ball is not None:
                start = self.task.ball.random(x, _generator(seed)).requires_grad_()
                wanted.append(start)
            loss, errors = self._evaluate(self._forward, start, y, seed)
            found: list[Tensor | None] = [
                *torch.autograd.grad(share * loss, wanted, allow_unused=True)
            ]
            if self.task.ball is not None:
                slope = found.pop()
                x = x if slope is None else self._attacked(x, start, slope)
            parts.append((x, y))
            total = found if not total else _sum(total, found)
            means += share * torch.stack([loss.detach().double(), errors])
        return total, parts, means

    def _backward(self, part: Part, seed: int, share: float, is_last: bool) -> Tensor:
        """Add the gradient of ``share`` times the loss; returns (loss, error) times share."""
        module = self._synchronised
        with nullcontext() if is_last else self.team.unsynchronised(module):
            loss, errors = self._evaluate(module, *part, seed)
            (share * loss).backward()
        return share * torch.stack([loss.detach().double(), errors])

    def _evaluate(
        self, module: nn.Module, inputs: Tensor, targets: Tensor, seed: int
    ) -> tuple[Tensor, Tensor]:
        torch.manual_seed(seed)
        with self.settings.arithmetic(inputs.device):
            outputs = module(inputs)
        if outputs.dtype in (torch.bfloat16, torch.float16):
            outputs = outputs.float()
        loss = self.task.loss(outputs, targets)
        errors = self.task.errors(outputs.detach(), targets).double().mean()
        return loss, errors

    def _attacked(self, inputs: Tensor, start: Tensor, slope: Tensor) -> Tensor:
        ball = self.task.ball
        assert ball is not None
        return ball.step(inputs, start.detach(), slope, FAST_STEP * ball.radius)

    def _correct(self, plain: list[Tensor]) -> None:
        """GSAM's and LookSAM's use of the mean gradients of both passes."""
        if not self.settings.sam_sync:
            self.team.average(plain)
        sharp = self._gradients()
        if self.look is not None:
            self.look.remember(sharp, plain)
        else:
            self._put(close_surrogate_gap(sharp, plain, self.settings.correction))

    def _gradients(self) -> list[Tensor]:
        return self._filled([p.grad for p in self.parameters])

    def _filled(self, gradients: Sequence[Tensor | None]) -> list[Tensor]:
        pairs = zip(gradients, self.parameters, strict=True)
        return [torch.zeros_like(p) if g is None else g for g, p in pairs]

    def _put(self, gradients: Sequence[Tensor]) -> None:
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            if parameter.grad is not None:
                parameter.grad.copy_(gradient)

    def _cut(self, inputs: Tensor, targets: Tensor) -> list[Part]:
        """The parts that go through the model one after the other."""
        size = -(-len(targets) // self.settings.accumulate)
        return list(zip(inputs.split(size), targets.split(size), strict=True))

    def _scoped(self, values: Sequence[Any]) -> list[Any]:
        return [value for value, chosen in zip(values, self._in_scope, strict=True) if chosen]

    def _seed(self, seed: int, part: int) -> int:
        return stream_seed(seed, part, self.team.rank)


def _sum(total: list[Tensor | None], found: list[Tensor | None]) -> list[Tensor | None]:
    pairs = zip(total, found, strict=True)
    return [g if t is None else t if g is None else t.add_(g) for t, g in pairs]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
