"""One pass over samples: loss, its sampling error, accuracy and other metrics."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.data.batches import Batch
from landscape.objective.criterion import ADDS_UP, Criterion
from landscape.objective.losses import LossFunction
from landscape.objective.model_call import measure_metric


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
        loss_dof: the degrees of freedom of that error: one less than the number of samples, or of
            batches, that it is over.
        metrics: the mean of each further metric, by name.
    """

    loss: float
    accuracy: float
    loss_stderr: float = math.nan
    loss_dof: float = 0.0
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
    sums = PassSums(criterion, metrics)
    return sums.evaluation(sums.over(forward, batches).tolist())


class PassSums:
    """What one pass over some batches adds up, and the evaluation that these sums give.

    The sums are tensors alone and don't decide what is computed, so that ``torch.vmap`` can take
    them for many points at once.

    Args:
        criterion: the loss of a batch and its weight in the mean.
        metrics: functions of (outputs, targets) that are means over the batch, by name.
    """

    def __init__(self, criterion: Criterion, metrics: Mapping[str, LossFunction]) -> None:
        self._criterion = criterion
        self._metrics = metrics
        self._totals: dict[str, Tensor] = {}
        self._by_sample = _Spread(self._add)
        self._samples, self._weight = 0, 0.0
        self._batch_weights: list[float] = []

    def over(self, forward: Callable[[Batch], Any], batches: Iterable[Batch]) -> Tensor:
        """The sums over ``batches``, of shape (n,) in float64, to be taken once.

        Args:
            forward: what the model gives for a batch, as :meth:`Criterion.call` returns it.
            batches: at least one.

        Raises:
            InputError: if the loss of a batch is not a scalar.
        """
        criterion, by_sample, batch_losses = self._criterion, self._by_sample, []
        for batch in batches:
            outputs = forward(batch)
            self._samples += batch.size
            self._weight += batch.weight
            batch_losses.append(criterion.mean(outputs, batch).detach().double())
            self._batch_weights.append(batch.weight)
            self._add("loss", batch_losses[-1] * batch.weight)
            terms = criterion.sample_terms(outputs, batch) if by_sample.is_known else None
            if terms is None:
                by_sample.is_known = False
            else:
                by_sample.add(*terms)
            counts = criterion.count_correct(outputs, batch)
            if counts is not None:
                self._add("correct", counts[0])
                self._add("labels", counts[1])
            for name, metric in self._metrics.items():
                measured = measure_metric(metric, outputs, batch)
                self._add(f"metric {name}", measured.double() * batch.size)
        return torch.stack([*self._totals.values(), *batch_losses])

    def evaluation(self, sums: Sequence[float]) -> Evaluation:
        """The evaluation for the numbers of the tensor that :meth:`over` returned."""
        values = dict(zip(self._totals, sums, strict=False))
        loss = values["loss"] / self._weight
        stderr, count = self._by_sample.standard_error(values, loss), self._by_sample.count(values)
        if stderr is None:
            batch_losses = sums[len(self._totals) :]
            stderr = _error_over_batches(batch_losses, self._batch_weights, loss)
            count = len(batch_losses)
        return Evaluation(
            loss=loss,
            accuracy=_percentage(values["correct"], values["labels"])
            if "labels" in values
            else math.nan,
            loss_stderr=stderr,
            loss_dof=count - 1.0,
            metrics={name: values[f"metric {name}"] / self._samples for name in self._metrics},
        )

    def _add(self, name: str, value: Tensor) -> None:
        value = value.detach().double()
        self._totals[name] = self._totals[name] + value if name in self._totals else value


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

    def count(self, values: Mapping[str, float]) -> float:
        """How many samples were added that count in the mean."""
        return self._count + values.get("count", 0.0)

    def standard_error(self, values: Mapping[str, float], loss: float) -> float | None:
        """The standard error of the mean loss, nan for one sample; None if it isn't known.

        It isn't where the samples' losses don't add up to the loss, as those of a contrastive loss.
        """
        if not self.is_known:
            return None
        others = {key: values.get(key, 0.0) for key in ("weights", "squares", "mixed")}
        common, alike = self._common, values.get("alike", 0.0)
        count = self.count(values)
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


def _error_over_batches(losses: Sequence[float], weights: list[float], loss: float) -> float:
    """The standard error of the mean over batches that are independent; nan for one batch."""
    count = len(losses)
    if count < 2 or not np.isfinite(losses).all():
        return math.nan
    terms = np.array(weights) * (np.array(losses) - loss)
    return float(math.sqrt(terms.dot(terms) * count / (count - 1)) / sum(weights))
