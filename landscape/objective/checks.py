"""Is the loss a repeatable mean over samples? Asked once, before anything is measured."""

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
    """Raise InputError, naming the module, if two passes over one batch differ."""
    first, second = batch_loss(batch).item(), batch_loss(batch).item()
    if _close(first, second, _tolerance(model, 64)):
        return
    culprit = _first_difference(model, forward, batch)
    blame = f"module {culprit} gives" if culprit else "the loss function or a forward pass gives"
    raise InputError(
        f"the loss is not deterministic: {first:.8g}, then {second:.8g} on the same batch; "
        f"{blame} different values for the same input, in eval mode: make it deterministic there"
    )


def check_mean_over_samples(model: nn.Module, batch_loss: BatchLoss, batch: Batch) -> None:
    """Raise InputError if a batch's loss is not the mean of its samples' losses."""
    norms = [name for name, module in model.named_modules() if _uses_batch_statistics(module)]
    if norms:
        raise InputError(
            f"the loss depends on how samples are batched: {norms[0]} (BatchNorm without running "
            "statistics) normalises with the statistics of the batch even in eval mode "
            "(verify=False measures it all the same)"
        )
    if batch.size < 2:
        return
    cut = (batch.size + 1) // 3 or 1
    parts = [batch.slice(0, cut), batch.slice(cut, batch.size)]
    whole = batch_loss(batch).item()
    mean = sum(batch_loss(part).item() * part.size for part in parts) / batch.size
    if _close(whole, mean, _tolerance(model, 1e4)):
        return
    raise InputError(
        f"the loss depends on how samples are batched: {whole:.8g} for {batch.size} at once, "
        f"{mean:.8g} in two parts; the loss function is not a mean over the batch (a sum?), or "
        "samples see each other (verify=False measures it all the same)"
    )


def _first_difference(
    model: nn.Module, forward: Callable[[Batch], Any], batch: Batch
) -> str | None:
    """The innermost module that gives different outputs for the same inputs, in two passes."""
    first, second = (_record_calls(model, forward, batch) for _ in range(2))
    for (name, inputs, output), (_, other_inputs, other_output) in zip(first, second, strict=False):
        if _same(inputs, other_inputs) and not _same(output, other_output):
            module = model.get_submodule(name)
            return f"{name or 'the model itself'} ({type(module).__name__})"
    return None


Call = tuple[str, list[Tensor], list[Tensor]]


def _record_calls(model: nn.Module, forward: Callable[[Batch], Any], batch: Batch) -> list[Call]:
    """Name, inputs and outputs of every module, in the order in which they finish."""
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
    """Copies of the tensors in a structure, which may hold other things too."""
    if isinstance(structure, Tensor):
        return [structure.clone()]
    items = structure.values() if isinstance(structure, Mapping) else structure
    if not isinstance(structure, Mapping | tuple | list):
        return []
    return [tensor for item in items for tensor in _tensors(item)]


def _same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def _uses_batch_statistics(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None


def _tolerance(model: nn.Module, factor: float) -> float:
    """Rounding differs between batch sizes and, on CUDA, between calls; a random loss more."""
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    return factor * torch.finfo(dtype).eps


def _close(a: float, b: float, tolerance: float) -> bool:
    if not (math.isfinite(a) and math.isfinite(b)):
        return True  # nothing to compare; the value is recorded as it is
    return abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-3)
