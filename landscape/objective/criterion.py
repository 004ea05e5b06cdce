"""The loss of a batch, what it counts for in the mean, and the losses of its samples."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.data.batches import Batch
from landscape.data.structures import common_length
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.losses import LossFunction, count_correct, sample_losses
from landscape.objective.model_call import call_model, outputs_for, tensor_output
from landscape.objective.reductions import (
    ReductionWatch,
    compares_elements,
    divisor_from_targets,
    ignored_label,
    loss_call,
    weights_of_labels,
)

# The largest relative difference of a loss from the mean of its samples' losses in float32.
ADDS_UP = 1e-4

Step = Callable[[Any, Any], Any]
Weight = Callable[[Any], Any]


@dataclass(frozen=True)
class Criterion:
    """How a model's loss on a batch is computed.

    The loss over several batches is sum_b w_b L_b / sum_b w_b, where w_b is what the loss L_b of a
    batch averages over.

    Attributes:
        loss: maps (outputs, targets) to the mean over the batch, or to (sum, weight).
        step: maps (model, batch) to the same, in place of ``loss``.
        weight: maps a batch as the data gave it to w_b; by default w_b is observed in the loss.
    """

    loss: LossFunction | None = None
    step: Step | None = None
    weight: Weight | None = None

    @property
    def name(self) -> str:
        """The name of the loss or step in results."""
        function = self.loss if self.step is None else self.step
        return str(getattr(function, "__name__", type(function).__name__))

    @property
    def loss_of_outputs(self) -> LossFunction:
        """The loss as a function of outputs and targets.

        Raises:
            NotMeasurableError: for a training step, which has no outputs.
        """
        if self.loss is None:
            raise NotMeasurableError(
                "this needs the model's outputs, which a training step (step=) does not show; pass "
                "(inputs, targets) and loss="
            )
        return self.loss

    def to(self, device: torch.device, dtype: torch.dtype) -> "Criterion":
        """The same with the tensors of a loss module, such as class weights, moved."""
        if not isinstance(self.loss, nn.Module):
            return self
        moved = copy.deepcopy(self.loss)
        return replace(self, loss=moved.to(device, dtype))

    def call(self, model: Callable[..., Any], batch: Batch) -> Any:
        """What the model gives for a batch: its outputs, or in a training step the loss."""
        if self.step is not None:
            return self.step(model, batch.inputs)
        return call_model(model, batch)

    def mean(self, outputs: Any, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar, from what :meth:`call` returned.

        Raises:
            InputError: if it is no scalar tensor, nor such a sum with its weight.
        """
        value, divisor = self._terms(outputs, batch)
        return value if divisor is None else value / divisor

    def weigh(self, model: Callable[..., Any], batch: Batch) -> float:
        """What the loss of a batch averages over.

        It is what ``weight`` or the loss itself says; else what a loss of ``torch.nn`` divides by;
        else the number of samples.

        Args:
            model: called unless the targets alone tell.
            batch: the batch.

        Raises:
            InputError: if the weight is no finite number of at least 0, or isn't known.
        """
        if self.weight is not None:
            return _checked_weight(self.weight(batch.as_given))
        if self.step is None:
            known = divisor_from_targets(self.loss, batch.targets)
            if known is not None:
                return known
        return self.weighed_mean(model, batch)[1]

    def weighed_mean(self, model: Callable[..., Any], batch: Batch) -> tuple[Tensor, float]:
        """The loss of a batch, and what it averages over, in one forward pass."""
        with ReductionWatch() as watch:
            return self._weighed(self.call(model, batch), batch, watch)

    def weighed_mean_of(self, outputs: Any, batch: Batch) -> tuple[Tensor, float]:
        """The same from the model's outputs for the batch."""
        with ReductionWatch() as watch:
            return self._weighed(outputs, batch, watch)

    def _weighed(self, outputs: Any, batch: Batch, watch: ReductionWatch) -> tuple[Tensor, float]:
        value, divisor = self._terms(outputs, batch)
        mean = value if divisor is None else value / divisor
        if self.weight is not None:
            return mean, _checked_weight(self.weight(batch.as_given))
        if divisor is not None:
            return mean, _checked_weight(divisor)
        return mean, _observed_weight(watch.divisors, batch)

    def count_correct(self, outputs: Any, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """How many samples of a batch are classified rightly, and how many have a class.

        None where the loss is not of classes.
        """
        if self.loss is None or compares_elements(self.loss):
            return None
        return count_correct(tensor_output(outputs), batch.targets, ignored_label(self.loss))

    def sample_terms(self, outputs: Any, batch: Batch) -> tuple[Tensor, Tensor | float] | None:
        """The weighted loss of each sample, (n,), and their weights, (n,) or one for all.

        None if the loss can't be computed sample by sample.
        """
        if self.loss is None or self.weight is not None or batch.is_whole:
            return None
        terms = self._label_terms(outputs, batch)
        if terms is not None:
            return terms
        each = sample_losses(self.loss, outputs, batch.targets)
        if isinstance(each, tuple):
            return each
        if each is None or each.shape != (batch.size,):
            return None
        share = batch.weight / batch.size
        return (each if share == 1 else each * share), share

    def equal_sample_losses(self, outputs: Any, batch: Batch) -> Tensor | None:
        """The loss of each sample, (n,), if the batch's loss is their mean; else None."""
        if self.loss is None or batch.is_whole:
            return None
        losses = sample_losses(self.loss, outputs, batch.targets)
        if not isinstance(losses, Tensor) or losses.shape != (batch.size,):
            return None
        mean, of_batch = losses.detach().mean(), self.mean(outputs, batch).detach()
        is_mean = torch.isclose(mean, of_batch, rtol=ADDS_UP, atol=1e-3 * ADDS_UP, equal_nan=True)
        return losses if bool(is_mean) else None

    def _label_terms(self, outputs: Any, batch: Batch) -> tuple[Tensor, Tensor | float] | None:
        """Those of a cross-entropy with class numbers."""
        call = loss_call(self.loss)
        if call is None or call[0] not in (F.cross_entropy, F.nll_loss):
            return None
        outputs, targets = tensor_output(outputs), batch.targets
        if not isinstance(targets, Tensor) or targets.is_floating_point() or outputs.dim() < 2:
            return None
        function, settings = call
        each = function(outputs, targets, **{**settings, "reduction": "none"})
        if each.dim() > 1:
            each = each.reshape(batch.size, -1).sum(1)
        weight = settings.get("weight")
        if weight is None and batch.weight == targets.numel():  # no label is ignored
            return each, batch.weight / batch.size
        weights = weights_of_labels(targets, weight, settings.get("ignore_index", -100))
        return each, weights.reshape(batch.size, -1).sum(1).to(each)

    def _terms(self, outputs: Any, batch: Batch) -> tuple[Tensor, Any]:
        """The mean of a batch and None, or the sum of a batch and what to divide it by."""
        if self.step is not None:
            answer, source = outputs, "step"
        else:
            assert self.loss is not None
            outputs = outputs_for(self.loss, outputs)
            answer, source = self.loss(outputs, batch.targets), "loss"
        if isinstance(answer, tuple) and len(answer) == 2 and _is_weight(answer[1]):
            total, divisor = answer
            if isinstance(divisor, Tensor) and divisor.requires_grad:
                raise InputError(
                    "the weight of a batch depends on the model's parameters, so the loss is no "
                    "weighted mean; return a weight that is made of the batch alone"
                )
            return _checked_scalar(total, source), divisor
        return _checked_scalar(answer, source), None


def _observed_weight(divisors: list[float], batch: Batch) -> float:
    """The weight of a batch for the divisors of the losses that were called for it."""
    distinct = sorted(set(divisors))
    if len(distinct) == 1:
        return _checked_weight(distinct[0])
    if any(divisor % batch.size for divisor in distinct):
        raise InputError(
            "the loss adds means over different numbers of terms "
            f"({', '.join(f'{divisor:g}' for divisor in distinct)} in a batch), so that it is no "
            "mean over batches; say what a batch counts for: weight=f(batch)"
        )
    if batch.is_whole and common_length(batch.as_given) is None and batch.targets is None:
        raise InputError(
            "what a batch counts for in the mean over batches is not known; say so: "
            "weight=f(batch), or let step return (sum, weight)"
        )
    return float(batch.size)


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number or (isinstance(value, Tensor) and value.dim() == 0)


def _checked_weight(value: Any) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"expected the weight of a batch as a number, got {type(value).__name__}"
        ) from error
    if not 0 <= weight < float("inf"):
        raise InputError(f"the weight of a batch has to be finite and at least 0, got {weight:g}")
    return weight


def _checked_scalar(value: Any, source: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise InputError(
            f"expected a {source} that returns a scalar tensor, the mean over the batch, or (sum, "
            f"weight); got {type(value).__name__}"
        )
    if value.dim() != 0:
        raise InputError(
            f"expected a {source} that is a scalar, the mean over the batch; "
            f"got shape {tuple(value.shape)}"
        )
    if value.is_complex():
        raise InputError(f"expected a {source} that is a real number, got {value.dtype}")
    return value
