"""Behaviour between inputs: the missing rate of the paper's Table 5.

A pair of samples is mixed, x = (1 - t) x_i + t x_j, and the network asked for the class of the
mixture. A prediction that is neither y_i nor y_j is a miss (Zhang et al., mixup, ICLR 2018,
Figure 2); the rate of misses at t = 1/2 is the paper's R. A network that is linear between its
inputs misses never where it is right at both ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses.linearity.result import Linearity, share_error
from analyses.linearity.settings import Settings
from analyses.run_context import RunContext
from landscape.data.batches import Batch, merge
from landscape.errors import NotMeasurableError
from landscape.objective.eval_copy import differentiable
from landscape.objective.losses import sample_losses
from landscape.objective.objective import Objective
from landscape.runtime.devices import full_precision
from landscape.runtime.progress import track


def measure(objective: Objective, settings: Settings, context: RunContext) -> Linearity:
    """Mix disjoint pairs, drawn by seed, and go from one end to the other.

    Raises NotMeasurableError unless targets are class numbers, outputs are logits and inputs are
    floating tensors.
    """
    _check(objective)
    whole = merge(objective.batches)
    pairs = draw_pairs(whole.size, settings)
    t = np.linspace(0.0, 1.0, settings.segment)
    t[len(t) // 2] = 0.5
    size = max(batch.size for batch in objective.batches)
    misses, losses, norms = (np.empty((len(t), len(pairs))) for _ in range(3))
    predictions = np.empty(len(pairs), dtype=np.int64)
    label = objective.origin.get("label", "model")
    for k, share in enumerate(track(t.tolist(), f"linearity of {label} (points)")):
        for part in torch.arange(len(pairs)).split(size):
            one, other = (whole.take(pairs[part, end]) for end in (0, 1))
            predicted, loss, norm = _at(objective, one, other, share)
            missed = (predicted != one.targets) & (predicted != other.targets)
            rows = part.numpy()
            misses[k, rows] = missed.double().cpu().numpy()
            losses[k, rows] = loss.double().cpu().numpy()
            norms[k, rows] = norm.double().cpu().numpy()
            if share == 0.5:
                predictions[rows] = predicted.cpu().numpy()
    return Linearity(
        t=t,
        missing=misses.mean(1),
        missing_stderr=np.array([share_error(row > 0) for row in misses]),
        loss=losses.mean(1),
        loss_stderr=_standard_errors(losses),
        gradient_norm=norms.mean(1),
        gradient_norm_stderr=_standard_errors(norms),
        pairs=pairs.numpy(),
        targets=whole.targets.cpu().numpy()[pairs.numpy()],
        predictions=predictions,
    )


def draw_pairs(count: int, settings: Settings) -> Tensor:
    """Pairs of different samples out of ``count``, of shape (P, 2); no sample is in two pairs.

    Raises NotMeasurableError if there are too few for them.
    """
    wanted = settings.pairs or count // 2
    if not 1 <= wanted <= count // 2:
        raise NotMeasurableError(
            f"{count} samples make {count // 2} pairs without a sample in common, "
            f"asked for are {max(wanted, 1)}"
        )
    generator = torch.Generator().manual_seed(settings.seed)
    return torch.randperm(count, generator=generator)[: 2 * wanted].view(wanted, 2)


def _check(objective: Objective) -> None:
    batch, outputs = next(_outputs(objective))
    if not isinstance(batch.inputs, Tensor) or not batch.inputs.is_floating_point():
        raise NotMeasurableError("inputs have to be one tensor of floats to lie between two others")
    is_class = isinstance(batch.targets, Tensor) and batch.targets.dim() == 1
    if not is_class or batch.targets.is_floating_point():
        raise NotMeasurableError("targets have to be class numbers for a prediction to miss them")
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        raise NotMeasurableError("outputs have to be logits, of shape (samples, classes)")


def _outputs(objective: Objective) -> Iterator[tuple[Batch, Any]]:
    first = objective.batches[0].slice(0, 1)
    with torch.no_grad(), full_precision():
        yield first, objective.forward(first)


def _at(
    objective: Objective, one: Batch, other: Batch, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Predicted classes, mixup's losses and the norms of their gradients at one point."""
    with full_precision(), differentiable(objective.module):
        mixed = torch.lerp(one.inputs, other.inputs, share).requires_grad_()
        outputs = objective.forward(Batch(mixed, one.targets, one.size))
        losses = [
            sample_losses(objective.loss_function, outputs, end.targets) for end in (one, other)
        ]
        if losses[0] is None or losses[1] is None:
            raise NotMeasurableError("the loss can't be taken sample by sample")
        loss = torch.lerp(losses[0], losses[1], share)
        (gradient,) = torch.autograd.grad(loss.sum(), [mixed])
    norms = torch.linalg.vector_norm(gradient.double().flatten(1), dim=1)
    return outputs.detach().argmax(1), loss.detach(), norms


def _standard_errors(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.shape[1] < 2:
        return np.full(len(values), math.nan)
    return values.std(axis=1, ddof=1) / math.sqrt(values.shape[1])
