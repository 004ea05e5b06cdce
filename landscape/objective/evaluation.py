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
from landscape.objective.criterion import ADDS_UP, Criterion
from landscape.objective.losses import LossFunction, count_correct
from landscape.objective.model_call import outputs_for, tensor_output


@dataclass(frozen=True)
class Evaluation:
    """The loss and metrics of a model over N samples.

    Attributes:
        loss: the mean loss; non-finite losses are returned unchanged.
        accuracy: in per cent of the labels that are classes, which are numbered from 0; nan where
            the task has none.
        loss_stderr: the sampling error of the loss, the standard deviation of the per-sample
            losses / sqrt(N), or, where samples don't count equally, that of the weighted mean.
            Where the loss can't be evaluated sample by sample it is over batches, and nan for
            one batch.
        metrics: the mean of each further metric, by name.
    """

    loss: float
    accuracy: float
    loss_stderr: float = math.nan
    metrics: dict[str, float] = field(default_factory=dict)


def evaluate_batches(
    forward: Callable[[Batch], Any],
    batches: Iterable[Batch],
    criterion: Criterion,
    metrics: Mapping[str, LossFunction],
) -> Evaluation:
    """The loss and metrics over all samples of some batches.

    Sums over batches are in float64. The device is synchronised once, at the end.

    Args:
        forward: what the model gives for a batch, as :meth:`Criterion.call` returns it.
        batches: at least one.
        criterion: the loss of a batch and its weight in the mean.
        metrics: functions of (outputs, targets) that are means over the batch, by name.

    Raises:
        InputError: if the loss of a batch is not a scalar.
    """
    totals: dict[str, Tensor] = {}

    def add(name: str, value: Tensor) -> None:
        value = value.detach().double()
        totals[name] = totals[name] + value if name in totals else value

    samples, weight = 0, 0.0
    by_sample = _Spread(add)
    batch_losses: list[Tensor] = []
    batch_weights: list[float] = []
    for batch in batches:
        outputs = forward(batch)
        samples, weight = samples + batch.size, weight + batch.weight
        batch_losses.append(criterion.mean(outputs, batch).detach().double())
        batch_weights.append(batch.weight)
        add("loss", batch_losses[-1] * batch.weight)
        terms = criterion.sample_terms(outputs, batch) if by_sample.is_known else None
        if terms is None:
            by_sample.is_known = False
        else:
            by_sample.add(*terms)
        counts = count_correct(tensor_output(outputs), batch.targets)
        if counts is not None:
            add("correct", counts[0])
            add("labels", counts[1])
        for name, metric in metrics.items():
            measured = metric(outputs_for(metric, outputs), batch.targets)
            add(f"metric {name}", measured.double() * batch.size)
    values = dict(zip(totals, torch.stack(list(totals.values())).tolist(), strict=True))
    loss = values["loss"] / weight
    stderr = by_sample.standard_error(values, loss)
    if stderr is None:
        stderr = _error_over_batches([each.item() for each in batch_losses], batch_weights, loss)
    return Evaluation(
        loss=loss,
        accuracy=_percentage(values["correct"], values["labels"])
        if "labels" in values
        else math.nan,
        loss_stderr=stderr,
        metrics={name: values[f"metric {name}"] / samples for name in metrics},
    )


def _percentage(count: float, total: float) -> float:
    return 100.0 * count / total if total else math.nan


def sample_loss_vector(
    forward: Callable[[Batch], Any], batches: Iterable[Batch], criterion: Criterion
) -> NDArray[np.float64] | None:
    """The loss of every sample, (N,); None where it can't be evaluated sample by sample.

    None, too, where samples don't count equally.
    """
    losses, shares = [], []
    for batch in batches:
        each = criterion.equal_sample_losses(forward(batch), batch)
        if each is None:
            return None
        losses.append(each.detach().double().cpu().numpy())
        shares.append(batch.weight / batch.size)
    return np.concatenate(losses) if np.allclose(shares, shares[0]) else None


class _Spread:
    """Sums for the standard error of sum_i s_i / sum_i w_i over independent samples i.

    They are of s_i - r w_i, where r is the first s_i / w_i, so that they don't cancel.
    """

    def __init__(self, add: Callable[[str, Tensor], None]) -> None:
        self.is_known = True
        self._add = add
        self._reference: Tensor | None = None
        self._common = 0.0  # the weight of samples that count alike
        self._count = 0

    def add(self, sums: Tensor, weights: Tensor | float) -> None:
        """Add the weighted losses of some samples, (n,), and their weights, (n,) or all alike."""
        sums = sums.detach().double()
        if isinstance(weights, float) and self._common in (0.0, weights):
            self._common = weights
            self._count += len(sums)
            if self._reference is None:
                self._reference = sums[0] if weights == 1 else sums[0] / weights
                self._add("reference", self._reference)
            reference = self._reference if weights == 1 else self._reference * weights
            centred = sums - reference
            self._add("alike", centred.sum())
        else:
            weights = torch.as_tensor(weights, device=sums.device).detach().double()
            weights = weights.expand_as(sums)
            if self._reference is None:
                self._reference = (sums[0] / weights[0]).nan_to_num(0.0, 0.0, 0.0)
                self._add("reference", self._reference)
            centred = sums - self._reference * weights
            self._add("count", (weights > 0).sum())
            self._add("weights", weights.sum())
            self._add("squares", weights.square().sum())
            self._add("mixed", (centred * weights).sum())
            self._add("first", centred.sum())
        self._add("second", centred.square().sum())

    def standard_error(self, values: Mapping[str, float], loss: float) -> float | None:
        """The standard error of the mean loss, nan for one sample; None if it isn't known.

        It isn't where the samples' losses don't add up to the loss, as those of a contrastive loss.
        """
        if not self.is_known:
            return None
        others = {key: values.get(key, 0.0) for key in ("count", "weights", "squares", "mixed")}
        common, alike = self._common, values.get("alike", 0.0)
        count = self._count + others["count"]
        if count < 2 or not math.isfinite(loss):
            return math.nan
        weight = self._count * common + others["weights"]
        squares = self._count * common * common + others["squares"]
        mixed = alike * common + others["mixed"]
        shift = (alike + values.get("first", 0.0)) / weight
        mean = values["reference"] + shift
        if math.isfinite(mean) and abs(mean - loss) > ADDS_UP * max(abs(loss), abs(mean), 1e-3):
            return None
        # Products of huge floats are infinite; powers would raise OverflowError.
        total = values["second"] - 2 * shift * mixed + shift * shift * squares
        if not math.isfinite(total):
            return math.nan
        return math.sqrt(max(total, 0.0) * count / (count - 1)) / weight


def _error_over_batches(losses: list[float], weights: list[float], loss: float) -> float:
    """The standard error of the mean over batches that are independent; nan for one batch."""
    count = len(losses)
    if count < 2 or not np.isfinite(losses).all():
        return math.nan
    terms = np.array(weights) * (np.array(losses) - loss)
    return float(math.sqrt(terms.dot(terms) * count / (count - 1)) / sum(weights))
