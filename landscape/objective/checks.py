"""Checks, before anything is measured, that a loss is a repeatable mean over its data."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from landscape.data.batches import Batch, can_merge, is_cuttable, merge
from landscape.errors import InputError
from landscape.objective.first_call import MISTAKES
from landscape.objective.twin import Twin


def check_repeatable(twin: Twin, batch: Batch) -> None:
    """Check that two passes over one batch give the same loss.

    Args:
        twin: the model and the loss.
        batch: what is evaluated.

    Raises:
        InputError: if the two losses differ; the message names the module that causes it.
    """
    batch = twin.cast(batch)
    first, second = twin.loss(batch).item(), twin.loss(batch).item()
    if twin.agree(first, second):
        return

    def forward(given: Batch) -> Any:
        return twin.criterion.call(twin.module, given)

    culprit = _first_difference(twin.module, forward, batch)
    blame = f"module {culprit} gives" if culprit else "the loss function or a forward pass gives"
    raise InputError(
        f"the loss is not deterministic: {first:.8g}, then {second:.8g} on the same batch; {blame} "
        "different values for the same input; make it deterministic in evaluation mode"
    )


def check_independent_of_batching(twin: Twin, batches: Sequence[Batch]) -> None:
    """Check that the mean over all data is the same if they are batched in another way.

    Every batch is cut, and the pieces are joined with their neighbours' where shapes allow it, so
    that both what the loss averages over and a model that mixes samples show. Batches that can't be
    cut are taken at their word.

    Args:
        twin: the model and the loss, in float64 if they take it.
        batches: all batches.

    Raises:
        InputError: if the loss depends on how the samples are batched.
    """
    norms = [name for name, module in twin.module.named_modules() if _uses_batch_statistics(module)]
    cuttable = [batch for batch in batches if is_cuttable(batch)]
    if norms and cuttable:
        raise InputError(
            f"the loss depends on how samples are batched: {norms[0]} (BatchNorm without running "
            "statistics) normalises with the statistics of the batch even in evaluation mode; "
            "give it running statistics"
        )
    pieces = list(_regrouped(cuttable))
    if [piece.size for piece in pieces] == [batch.size for batch in cuttable]:
        return  # single samples of different shapes
    as_given = _mean(twin, cuttable)
    try:
        regrouped = _mean(twin, pieces)
    except MISTAKES as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"the model takes a batch of {cuttable[0].size} samples, but not a part of it "
            f"({reason}); if its samples belong together (a graph): batching='whole'"
        ) from error
    # A piece whose loss is 0/0, since nothing in it counts, shows that more than samples count.
    if math.isfinite(as_given) == math.isfinite(regrouped) and twin.agree(as_given, regrouped):
        return
    raise InputError(
        f"the loss depends on how samples are batched: {as_given:.8g} in batches of "
        f"{max(batch.size for batch in cuttable)}, {regrouped:.8g} in others; if the loss is a "
        "sum, not a mean over the batch, make it one; if it averages over something else than "
        "samples (tokens, pixels, class weights), say what a batch counts for: weight=f(batch), or "
        "return (sum, weight); if samples of a batch belong together (a graph, a contrastive "
        "loss): batching='whole'"
    )


def _mean(twin: Twin, batches: Sequence[Batch]) -> float:
    """The weighted mean of the losses of some batches."""
    terms = [twin.weighed_loss(twin.cast(batch)) for batch in batches]
    weight = sum(weight for _, weight in terms)
    return sum(loss * weight for loss, weight in terms if weight) / weight if weight else 0.0


def _regrouped(batches: Sequence[Batch]) -> Iterator[Batch]:
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


def _first_difference(
    model: nn.Module, forward: Callable[[Batch], Any], batch: Batch
) -> str | None:
    """The innermost module that gives different outputs for the same inputs, in two passes."""
    first, second = (_record_calls(model, forward, batch) for _ in range(2))
    for (name, inputs, output), (_, inputs_again, output_again) in zip(first, second, strict=False):
        if _same(inputs, inputs_again) and not _same(output, output_again):
            module = model.get_submodule(name)
            return f"{name or 'the model itself'} ({type(module).__name__})"
    return None


Call = tuple[str, list[Tensor], list[Tensor]]


def _record_calls(model: nn.Module, forward: Callable[[Batch], Any], batch: Batch) -> list[Call]:
    """Name, inputs and outputs of every module call, in the order in which the calls end."""
    calls: list[Call] = []
    handles = []

    def recorder(name: str) -> Callable[..., None]:
        def record(_module: nn.Module, inputs: Any, output: Any) -> None:
            calls.append((name, _tensors(inputs), _tensors(output)))

        return record

    for name, module in model.named_modules():
        handles.append(module.register_forward_hook(recorder(name)))
    try:
        forward(batch)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _tensors(structure: Any) -> list[Tensor]:
    """Copies of the tensors in a structure, which may also contain other objects."""
    if isinstance(structure, Tensor):
        return [structure.clone()]
    items = structure.values() if isinstance(structure, Mapping) else structure
    if not isinstance(structure, Mapping | tuple | list):
        return []
    return [tensor for item in items for tensor in _tensors(item)]


def _same(first: list[Tensor], second: list[Tensor]) -> bool:
    return len(first) == len(second) and all(map(torch.equal, first, second))


def _uses_batch_statistics(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None
