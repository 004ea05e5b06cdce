"""Behaviour between inputs: the missing rate of the paper's Table 5.

Two samples are mixed, x = (1 - t) x_i + t x_j, and the network predicts a class for the mixture. A
prediction that is neither y_i nor y_j is a miss (Zhang et al., mixup, ICLR 2018, Figure 2); the
rate of misses at t = 1/2 is the paper's R. A network that is linear between two inputs and right at
both of them never misses between them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from analyses.linearity.result import Linearity
from analyses.linearity.settings import Settings
from analyses.run_context import RunContext
from landscape.data.batches import Batch, merge
from landscape.errors import NotMeasurableError
from landscape.estimates import Proportion, mean_and_stderr
from landscape.objective.eval_copy import differentiable
from landscape.objective.losses import sample_losses
from landscape.objective.objective import Objective
from landscape.runtime.devices import full_precision
from landscape.runtime.progress import track


def measure(objective: Objective, settings: Settings, context: RunContext) -> Linearity:
    """Mix disjoint pairs of samples, drawn by seed, at points from one input to the other.

    Args:
        objective: the network and its sample.
        settings: at which points, and how many pairs.
        context: not used.

    Returns:
        Misses, losses and gradient norms along the segment.

    Raises:
        NotMeasurableError: if the targets are not class numbers, the outputs not logits or the
            inputs not floating-point numbers.
    """
    _check(objective)
    data = merge(objective.batches)
    pairs = draw_pairs(data.size, settings)
    t = np.linspace(0.0, 1.0, settings.segment)
    t[len(t) // 2] = 0.5
    size = max(batch.size for batch in objective.batches)
    misses, losses, norms = (np.empty((len(t), len(pairs))) for _ in range(3))
    predictions = np.empty(len(pairs), dtype=np.int64)
    label = objective.label or "model"
    for k, share in enumerate(
        track(
            t.tolist(),
            f"linearity of {label} (points)",
            less="lower --segment, --pairs or --samples",
        )
    ):
        for indices in torch.arange(len(pairs)).split(size):
            first, second = (data.take(pairs[indices, end]) for end in (0, 1))
            predicted, losses_at, norms_at = _at(objective, first, second, share)
            missed = (predicted != first.targets) & (predicted != second.targets)
            rows = indices.numpy()
            misses[k, rows] = missed.double().cpu().numpy()
            losses[k, rows] = losses_at.double().cpu().numpy()
            norms[k, rows] = norms_at.double().cpu().numpy()
            if share == 0.5:
                predictions[rows] = predicted.cpu().numpy()
    loss, loss_stderr = mean_and_stderr(losses)
    gradient_norm, gradient_norm_stderr = mean_and_stderr(norms)
    return Linearity(
        t=t,
        missing=misses.mean(1),
        missing_stderr=np.array([Proportion.of(row).stderr for row in misses]),
        loss=loss,
        loss_stderr=loss_stderr,
        gradient_norm=gradient_norm,
        gradient_norm_stderr=gradient_norm_stderr,
        pairs=pairs.numpy(),
        targets=data.targets.cpu().numpy()[pairs.numpy()],
        predictions=predictions,
    )


def draw_pairs(count: int, settings: Settings) -> Tensor:
    """Draw disjoint pairs of ``count`` samples.

    Returns:
        The numbers of the samples, of shape (P, 2); no sample is in two pairs.

    Raises:
        NotMeasurableError: if there are too few samples for the pairs.
    """
    num_pairs = settings.pairs or count // 2
    if not 1 <= num_pairs <= count // 2:
        raise NotMeasurableError(
            f"{count} samples make {count // 2} pairs without a sample in common, "
            f"expected at least {max(num_pairs, 1)}"
        )
    generator = torch.Generator().manual_seed(settings.seed)
    return torch.randperm(count, generator=generator)[: 2 * num_pairs].view(num_pairs, 2)


def _check(objective: Objective) -> None:
    """Raise NotMeasurableError unless two inputs can be mixed and a class predicted for them."""
    sample = objective.batches[0].slice(0, 1)
    with objective.evaluating():
        outputs = objective.forward(sample)
    if not isinstance(sample.inputs, Tensor) or not sample.inputs.is_floating_point():
        raise NotMeasurableError(
            f"linearity needs inputs that are one tensor of floats, got {_describe(sample.inputs)}"
        )
    is_class = isinstance(sample.targets, Tensor) and sample.targets.dim() == 1
    if not is_class or sample.targets.is_floating_point():
        raise NotMeasurableError(
            "linearity needs targets that are class numbers, of shape (samples,), "
            f"got {_describe(sample.targets)}"
        )
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        raise NotMeasurableError(
            "linearity needs outputs that are logits, of shape (samples, classes), "
            f"got {_describe(outputs)}"
        )


def _describe(value: Any) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"shape {tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}"


def _at(
    objective: Objective, first: Batch, second: Batch, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Predicted classes, mixup's losses and the norms of their gradients at one point."""
    with full_precision(), differentiable(objective.module):
        mixed = torch.lerp(first.inputs, second.inputs, share).requires_grad_()
        outputs = objective.forward(first.with_inputs(mixed))
        losses = [_losses(objective, outputs, end.targets) for end in (first, second)]
        loss = torch.lerp(losses[0], losses[1], share)
        (gradient,) = torch.autograd.grad(loss.sum(), [mixed])
    norms = torch.linalg.vector_norm(gradient.double().flatten(1), dim=1)
    return outputs.detach().argmax(1), loss.detach(), norms


def _losses(objective: Objective, outputs: Any, targets: Any) -> Tensor:
    """The loss of each sample, of shape (n,)."""
    losses = sample_losses(objective.loss_function, outputs, targets)
    if not isinstance(losses, Tensor):
        raise NotMeasurableError(
            "linearity needs the loss of each sample, which this loss function does not give"
        )
    return losses
