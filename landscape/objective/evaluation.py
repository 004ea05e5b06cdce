"""One pass over samples: loss, its sampling error, accuracy and other metrics."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.data.batches import Batch
from landscape.errors import InputError
from landscape.objective.losses import LossFunction, count_correct, sample_losses


@dataclass(frozen=True)
class Evaluation:
    """The loss and metrics of a model over N samples.

    Attributes:
        loss: the mean loss; non-finite losses are returned unchanged.
        accuracy: in per cent; nan where the task has no classes.
        loss_stderr: the sampling error of the loss, the standard deviation of the per-sample
            losses / sqrt(N); nan where the loss can't be evaluated sample by sample.
        metrics: the mean of each further metric, by name.
    """

    loss: float
    accuracy: float
    loss_stderr: float = math.nan
    metrics: dict[str, float] = field(default_factory=dict)


def evaluate_batches(
    forward: Callable[[Batch], Any],
    batches: Iterable[Batch],
    loss: LossFunction,
    metrics: Mapping[str, LossFunction],
) -> Evaluation:
    """The loss and metrics over all samples of some batches.

    Sums over batches are in float64. The device is synchronised once, at the end.

    Args:
        forward: the model's outputs for a batch.
        batches: at least one.
        loss: maps (outputs, targets) to the mean over a batch.
        metrics: further functions of that kind, by name.

    Raises:
        InputError: if the loss of a batch is not a scalar.
    """
    totals: dict[str, Tensor] = {}

    def add(name: str, value: Tensor) -> None:
        value = value.double()
        totals[name] = totals[name] + value if name in totals else value

    samples = 0
    for batch in batches:
        outputs = forward(batch)
        samples += batch.size
        add("loss", mean_loss(loss, outputs, batch.targets).double() * batch.size)
        each = sample_losses(loss, outputs, batch.targets)
        if each is not None:
            # Shifted by one of the losses, so that the sum of squares doesn't cancel.
            shift = totals.setdefault("shift", each[0].double())
            centred = each.double() - shift
            add("first", centred.sum())
            add("second", centred.square().sum())
        correct = count_correct(outputs, batch.targets)
        if correct is not None:
            add("correct", correct)
        for name, metric in metrics.items():
            add(f"metric {name}", metric(outputs, batch.targets).double() * batch.size)
    values = dict(zip(totals, torch.stack(list(totals.values())).tolist(), strict=True))
    return Evaluation(
        loss=values["loss"] / samples,
        accuracy=100.0 * values["correct"] / samples if "correct" in values else math.nan,
        loss_stderr=_standard_error(values, samples),
        metrics={name: values[f"metric {name}"] / samples for name in metrics},
    )


def sample_loss_vector(
    forward: Callable[[Batch], Any], batches: Iterable[Batch], loss: LossFunction
) -> NDArray[np.float64] | None:
    """The loss of every sample, (N,); None where it can't be evaluated sample by sample."""
    losses = []
    for batch in batches:
        each = sample_losses(loss, forward(batch), batch.targets)
        if each is None:
            return None
        losses.append(each.double().cpu().numpy())
    return np.concatenate(losses)


def mean_loss(loss: LossFunction, outputs: Any, targets: Any) -> Tensor:
    """The loss of a batch; raises InputError unless it is a scalar."""
    value = loss(outputs, targets)
    if value.dim() != 0:
        raise InputError(
            "expected a loss that is a scalar, the mean over the batch; "
            f"got shape {tuple(value.shape)}"
        )
    return value


def _standard_error(values: Mapping[str, float], samples: int) -> float:
    if "second" not in values or samples < 2:
        return math.nan
    # A product of huge floats is infinite; a power would raise OverflowError.
    squared = values["first"] * values["first"]
    variance = (values["second"] - squared / samples) / (samples - 1)
    return math.sqrt(max(variance, 0.0) / samples) if math.isfinite(variance) else math.nan
