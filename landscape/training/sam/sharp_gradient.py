"""The gradient of sharpness-aware minimisation, for a whole batch."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from landscape.training.passes import MicroBatch, Passes
from landscape.training.sam.ascent import names_in_scope, norm_of
from landscape.training.sam.optimizer import SAM
from landscape.training.sam.settings import SamSettings
from landscape.training.sam.two_passes import SCALED


class SharpGradient:
    """Computes the gradient of the loss at perturbed weights.

    The batch B is divided into subsets B_i of ``sam_batch`` samples, each with a perturbation of
    its own (m-sharpness), and for each of them

        g_i = grad L_i(w)                                 ascent gradient
        e_i = rho g_i / ||g_i||                           perturbation (of ASAM: see ascent.py)
        g_s = sum over i of |B_i| / |B| grad L_i(w + e_i)     sharp gradient

    GSAM and LookSAM then correct g_s by g = sum over i of |B_i| / |B| g_i.

    Raises:
        InputError: No parameter is in the scope of the perturbation.
    """

    def __init__(self, passes: Passes, optimizer: torch.optim.Optimizer) -> None:
        settings = passes.settings
        scope = names_in_scope(passes.model, settings.sam_scope)
        named = dict(passes.model.named_parameters())
        names = names_to_scale(passes.model, settings)
        scaled = None if names is None else [named[name] for name in names]
        self._settings = settings
        self._passes = passes
        self.sam = SAM(
            passes.parameters,
            optimizer,
            settings.rho,
            method=settings.sam,
            alpha=settings.sam_alpha,
            eta=settings.sam_eta,
            every=settings.sam_every,
            perturbed=[p for name, p in named.items() if p.requires_grad and name in scope],
            scaled=scaled,
            model=passes.model,
            per_device=not settings.sam_sync,
        )

    def compute(self, inputs: Tensor, targets: Tensor, seed: int) -> Tensor:
        """Leave g_s in ``.grad``; SAM's :meth:`~SAM.correct_gradients` comes next.

        Args:
            inputs: This rank's inputs of the batch.
            targets: Their targets.
            seed: The seed of the step.

        Returns:
            Loss, error, ||g_i|| and L_i(w + e_i) - L_i(w), as means over samples, of shape (4,).
        """
        self.sam.begin_step()
        size = self._settings.sam_batch or len(targets)
        subsets = list(zip(inputs.split(size), targets.split(size), strict=True))
        numbers = itertools.count()  # of micro-batches, over all subsets
        record = torch.zeros(4, dtype=torch.float64, device=inputs.device)
        for subset in subsets:
            weight = len(subset[1]) / len(targets)
            micro_batches = self._passes.split(*subset)
            seeds = [self._passes.seed(seed, next(numbers)) for _ in micro_batches]
            ascent, attacked, means = self._ascent_gradient(micro_batches, seeds)
            norm = norm_of(ascent)
            with self._perturbed(ascent, weight):
                ascent.clear()  # their memory is free for the second pass
                is_last = subset is subsets[-1]
                perturbed = self._descent_gradient(attacked, seeds, weight, is_last)
            gap = perturbed[0] - weight * means[0]
            record += torch.stack([*(weight * means), weight * norm.to(means), gap])
        return record

    def _ascent_gradient(
        self, micro_batches: Sequence[MicroBatch], seeds: Sequence[int]
    ) -> tuple[list[Tensor | None], list[MicroBatch], Tensor]:
        """The first pass: g_i = sum over k of |b_k| / |B_i| grad L_k(w), of micro-batches b_k.

        The same backward pass gives the gradient in the inputs, if these are attacked.

        Returns:
            g_i; the micro-batches for the second pass, attacked; and loss and error, of shape (2,).
        """
        passes = self._passes
        attacks = passes.task.ball is not None
        size = sum(len(targets) for _, targets in micro_batches)
        total: list[Tensor | None] = []
        attacked: list[MicroBatch] = []
        means = torch.zeros(2, dtype=torch.float64, device=micro_batches[0][0].device)
        for (inputs, targets), seed in zip(micro_batches, seeds, strict=True):
            weight = len(targets) / size
            start = passes.attack_start(inputs, seed) if attacks else inputs
            variables = [*passes.parameters, start] if attacks else passes.parameters
            loss, errors = passes.loss(start, targets, seed)
            gradients: list[Tensor | None] = [
                *torch.autograd.grad(weight * loss, variables, allow_unused=True)
            ]
            if attacks:
                slope = gradients.pop()
                inputs = inputs if slope is None else passes.attack(inputs, start, slope)
            attacked.append((inputs, targets))
            total = gradients if not total else _sum(total, gradients)
            means += weight * torch.stack([loss.detach().double(), errors])
        if self._settings.sam_sync:
            passes.group.average(total)
        return total, attacked, means

    @contextmanager
    def _perturbed(self, ascent: Sequence[Tensor | None], weight: float) -> Iterator[None]:
        """The weights are at w + e_i within the context; ``ascent`` is used up."""
        self.sam.perturb(ascent, weight)
        try:
            yield
        finally:
            self.sam.restore()

    def _descent_gradient(
        self,
        micro_batches: Sequence[MicroBatch],
        seeds: Sequence[int],
        subset_weight: float,
        is_last_subset: bool,
    ) -> Tensor:
        """The second pass: add |B_i| / |B| grad L_i(w + e_i) to ``.grad``.

        Returns:
            |B_i| / |B| times loss and error at w + e_i, of shape (2,).
        """
        size = sum(len(targets) for _, targets in micro_batches)
        means = torch.zeros(2, dtype=torch.float64, device=micro_batches[0][0].device)
        for micro_batch, seed in zip(micro_batches, seeds, strict=True):
            weight = subset_weight * (len(micro_batch[1]) / size)
            is_last = is_last_subset and micro_batch is micro_batches[-1]
            means += self._passes.backward(micro_batch, seed, weight, is_last)
        return means


def _sum(total: list[Tensor | None], gradients: list[Tensor | None]) -> list[Tensor | None]:
    """Add ``gradients`` to ``total``; None counts as 0."""
    pairs = zip(total, gradients, strict=True)
    return [g if t is None else t if g is None else t.add_(g) for t, g in pairs]


def names_to_scale(model: nn.Module, settings: SamSettings) -> set[str] | None:
    """The names of the parameters that ASAM scales; None for SAM's own choice by name.

    Raises:
        InputError: ``--sam-scaled`` is no regular expression, or matches no parameter.
    """
    if settings.sam != "asam" or settings.sam_scaled == SCALED:
        return None
    return names_in_scope(model, settings.sam_scaled, "--sam-scaled")
