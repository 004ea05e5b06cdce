"""Checks, before anything is measured, that a loss is a repeatable mean over samples."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from landscape.data.batches import Batch
from landscape.errors import InputError

BatchLoss = Callable[[Batch], Tensor]


def check_repeatable(
    model: nn.Module, batch_loss: BatchLoss, forward: Callable[[Batch], Any], batch: Batch
) -> None:
    """Check that two passes over one batch give the same loss.

    Args:
        model: in evaluation mode.
        batch_loss: the loss of a batch.
        forward: the model's outputs for a batch.
        batch: what is evaluated.

    Raises:
        InputError: if the two losses differ; the message names the module that causes it.
    """
    first, second = batch_loss(batch).item(), batch_loss(batch).item()
    if _close(first, second, _tolerance(model, 64)):
        return
    culprit = _first_difference(model, forward, batch)
    blame = f"module {culprit} gives" if culprit else "the loss function or a forward pass gives"
    raise InputError(
        f"the loss is not deterministic: {first:.8g}, then {second:.8g} on the same batch; {blame} "
        "different values for the same input; make it deterministic in evaluation mode"
    )


def check_mean_over_samples(model: nn.Module, batch_loss: BatchLoss, batch: Batch) -> None:
    """Check that a batch's loss is the mean of its samples' losses.

    Args:
        model: in evaluation mode.
        batch_loss: the loss of a batch.
        batch: what is evaluated.

    Raises:
        InputError: if the loss depends on how the samples are batched.
    """
    norms = [name for name, module in model.named_modules() if _uses_batch_statistics(module)]
    if norms:
        raise InputError(
            f"the loss depends on how samples are batched: {norms[0]} (BatchNorm without running "
            "statistics) normalises with the statistics of the batch even in evaluation mode; "
            "give it running statistics, or pass verify=False"
        )
    if batch.size < 2:
        return
    cut = (batch.size + 1) // 3 or 1
    slices = [batch.slice(0, cut), batch.slice(cut, batch.size)]
    loss = batch_loss(batch).item()
    mean = sum(batch_loss(piece).item() * piece.size for piece in slices) / batch.size
    if _close(loss, mean, _tolerance(model, 1e4)):
        return
    raise InputError(
        f"the loss depends on how samples are batched: {loss:.8g} for a batch of {batch.size}, "
        f"{mean:.8g} for two; the loss function is not a mean over the batch (a sum?), or the "
        "model mixes samples; make it a mean, or pass verify=False"
    )


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


def _tolerance(model: nn.Module, factor: float) -> float:
    """The relative difference that rounding explains: it varies with batch size and CUDA call."""
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    return factor * torch.finfo(dtype).eps


def _close(a: float, b: float, tolerance: float) -> bool:
    if not (math.isfinite(a) and math.isfinite(b)):
        return True  # non-finite losses are recorded unchanged
    return abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-3)
