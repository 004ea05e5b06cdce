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
        return torch.stack([*batch_losses, *self._totals.values(), *by_sample.moments])

    def evaluation(self, sums: Sequence[float]) -> Evaluation:
        """The evaluation for the numbers of the tensor that :meth:`over` returned."""
        num_batches = len(self._batch_weights)
        batch_losses, others = sums[:num_batches], sums[num_batches:]
        values = dict(zip(self._totals, others, strict=False))
        moments = others[len(values) :]
        terms = (w * x for w, x in zip(self._batch_weights, batch_losses, strict=True))
        loss = sum(terms) / self._weight
        stderr = self._by_sample.standard_error(values, moments, loss)
        count = self._by_sample.count(values)
        if stderr is None:
            stderr = _error_over_batches(batch_losses, self._batch_weights, loss)
            count = num_batches
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
    """What the standard error of sum_i s_i / sum_i w_i over independent samples i is made of.

    Of batches whose samples count alike it is the mean and the variance, of others sums of
    s_i - r w_i, where r is the first s_i / w_i, so that they don't cancel.

    Attributes:
        is_known: whether the samples' losses are.
        moments: the mean and the variance of each batch whose samples count alike.
    """

    def __init__(self, add: Callable[[str, Tensor], None]) -> None:
        self.is_known = True
        self.moments: list[Tensor] = []
        self._add = add
        self._reference: Tensor | None = None
        self._common = 0.0  # the weight of samples that count alike
        self._sizes: list[int] = []  # of their batches

    def add(self, sums: Tensor, weights: Tensor | float) -> None:
        """Add the weighted losses of some samples, (n,), and their weights, (n,) or all alike."""
        sums = sums.detach().double()
        if isinstance(weights, float) and self._common in (0.0, weights):
            self._common = weights
            self._sizes.append(len(sums))
            variance, mean = torch.var_mean(sums, correction=0)
            self.moments += [mean, variance]
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
        return sum(self._sizes) + values.get("count", 0.0)

    def standard_error(
        self, values: Mapping[str, float], moments: Sequence[float], loss: float
    ) -> float | None:
        """The standard error of the mean loss, nan for one sample; None if it isn't known.

        It isn't where the samples' losses don't add up to the loss, as those of a contrastive loss.

        Args:
            values: the sums that were added, by name.
            moments: the numbers of :attr:`moments`.
            loss: the mean loss.
        """
        if not self.is_known:
            return None
        count = self.count(values)
        if count < 2 or not math.isfinite(loss):
            return math.nan
        sums = {key: values.get(key, 0.0) for key in ("weights", "squares", "mixed", "first")}
        second, common = values.get("second", 0.0), self._common
        reference = values["reference"] if "reference" in values else moments[0] / common
        for size, mean, variance in zip(self._sizes, moments[::2], moments[1::2], strict=True):
            distance = mean - reference * common
            sums["weights"] += size * common
            sums["squares"] += size * common * common
            sums["mixed"] += size * distance * common
            sums["first"] += size * distance
            second += size * (variance + distance * distance)
        weight, squares, mixed = sums["weights"], sums["squares"], sums["mixed"]
        shift = sums["first"] / weight
        mean = reference + shift
        if math.isfinite(mean) and abs(mean - loss) > ADDS_UP * max(abs(loss), abs(mean), 1e-3):
            return None
        # Products of huge floats are infinite; powers would raise OverflowError.
        total = second - 2 * shift * mixed + shift * shift * squares
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
