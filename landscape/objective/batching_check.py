"""The check, before anything is measured, that a loss does not depend on how its data are batched.

All batches are cut, and the pieces joined with their neighbours'. The model has to give the same
outputs for them, and the weighted mean of the losses has to be the same, in float64.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from landscape.data.batches import Batch, can_merge, merge
from landscape.data.structures import common_length, tensors_in
from landscape.errors import InputError
from landscape.objective.criterion import Criterion
from landscape.objective.first_call import MISTAKES
from landscape.objective.twin import Twin

# The largest difference of outputs for other neighbours, relative to the largest output, that
# rounding explains in float32 and in float64.
OUTPUT_TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-9}


def check_independent_of_batching(
    twin: Twin, module: torch.nn.Module, criterion: Criterion, batches: Sequence[Batch]
) -> None:
    """Check that the mean over all data is the same if they are batched in another way.

    Batches that can't be cut are taken at their word. Where the outputs can be cut, too, the model
    itself runs in its own precision, twice over all data, and its loss in float64; else both run in
    float64.

    Args:
        twin: the model and the loss, in float64 if they take it.
        module: the model in its own precision.
        criterion: its loss.
        batches: all batches.

    Raises:
        InputError: if the loss depends on how the samples are batched, or the model takes no part
            of a batch.
    """
    cuttable = [batch for batch in batches if not batch.is_whole]
    if not cuttable:
        return
    try:
        if criterion.step is None and _cuttable_outputs(module, criterion, cuttable[0]):
            _compare_outputs(twin, module, criterion, cuttable)
        else:
            _compare_losses(twin, cuttable)
    except MISTAKES as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"the model takes a batch of {cuttable[0].size} samples, but not a part of it "
            f"({reason}); if its samples belong together (a graph): batching='whole'"
        ) from error


class _Mean:
    """A weighted mean of batch losses."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0

    def add(self, loss: Tensor, weight: float) -> None:
        """Add the loss of a batch; those that count nothing are left out."""
        if weight:
            self._sum += loss.item() * weight
            self._weight += weight

    @property
    def value(self) -> float:
        """The mean so far."""
        return self._sum / self._weight if self._weight else 0.0


def _cuttable_outputs(module: torch.nn.Module, criterion: Criterion, batch: Batch) -> bool:
    """Whether the outputs for a batch can be cut as its inputs can; by those for two samples."""
    few = batch.slice(0, min(batch.size, 2))
    return common_length(criterion.call(module, few)) == few.size


def _compare_outputs(
    twin: Twin, module: torch.nn.Module, criterion: Criterion, batches: Sequence[Batch]
) -> None:
    as_given, regrouped = _Mean(), _Mean()

    def with_outputs() -> Iterator[Batch]:
        for batch in batches:
            outputs = criterion.call(module, batch)
            as_given.add(*_weighed_loss(twin, outputs, batch))
            yield batch.with_inputs((batch.inputs, outputs))

    for piece in _regrouped(with_outputs()):
        inputs, outputs = piece.inputs
        batch = piece.with_inputs(inputs)
        _compare(criterion.call(module, batch), outputs, batch.size)
        regrouped.add(*_weighed_loss(twin, outputs, batch))
    _check_means(twin, as_given.value, regrouped.value, batches)


def _compare_losses(twin: Twin, batches: Sequence[Batch]) -> None:
    as_given, regrouped = _Mean(), _Mean()
    for group, mean in ((batches, as_given), (_regrouped(batches), regrouped)):
        for batch in group:
            mean.add(*twin.criterion.weighed_mean(twin.module, twin.cast(batch)))
    _check_means(twin, as_given.value, regrouped.value, batches)


def _weighed_loss(twin: Twin, outputs: Any, batch: Batch) -> tuple[Tensor, float]:
    batch = twin.cast(batch.with_inputs((batch.inputs, outputs)))
    inputs, outputs = batch.inputs
    return twin.criterion.weighed_mean_of(outputs, batch.with_inputs(inputs))


def _compare(outputs: Any, expected: Any, size: int) -> None:
    """Check that outputs are those that the samples had among other neighbours."""
    for again, before in zip(tensors_in(outputs), tensors_in(expected), strict=True):
        if not before.is_floating_point():
            continue
        tolerance = OUTPUT_TOLERANCES.get(before.dtype, 1e-2)
        difference, largest = ((again - before).abs().max(), before.abs().max())
        if not difference.isfinite() or difference <= tolerance * largest + tolerance:
            continue
        raise InputError(
            "the loss depends on how samples are batched: the model's outputs for the same samples "
            f"differ by {difference.item():.2g} in a batch of {size} with other neighbours; if "
            "samples of a batch belong together (a graph, attention between samples): "
            "batching='whole'; else let it treat each sample by itself"
        )


def _check_means(twin: Twin, as_given: float, regrouped: float, batches: Sequence[Batch]) -> None:
    # A piece whose loss is 0/0, since nothing in it counts, shows that more than samples count.
    if math.isfinite(as_given) == math.isfinite(regrouped) and twin.agree(as_given, regrouped):
        return
    raise InputError(
        f"the loss depends on how samples are batched: {as_given:.8g} in batches of "
        f"{max(batch.size for batch in batches)}, {regrouped:.8g} in others; if the loss is a "
        "sum, not a mean over the batch, make it one; if it averages over something else than "
        "samples (tokens, pixels, class weights), say what a batch counts for: weight=f(batch), or "
        "return (sum, weight); if samples of a batch belong together (a graph, a contrastive "
        "loss): batching='whole'"
    )


def _regrouped(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The same samples in other batches: pieces of each, joined with the next batch's."""
    pending: Batch | None = None
    for batch in batches:
        cut = (batch.size + 1) // 3
        head, tail = batch.slice(0, cut), batch.slice(cut, batch.size)
        if not cut:  # a single sample
            head, tail = batch, batch.slice(0, 0)
        if pending is not None and can_merge(pending, head):
            yield merge([pending, head])
        else:
            if pending is not None:
                yield pending
            if tail.size:
                yield head
            else:
                pending = head
                continue
        pending = tail if tail.size else None
    if pending is not None:
        yield pending
