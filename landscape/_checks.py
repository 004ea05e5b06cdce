"""Is the loss a repeatable mean over samples? Asked once, before anything is measured."""

import math
from collections.abc import Callable
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
    if batch.size < 2:
        return
    cut = (batch.size + 1) // 3 or 1
    parts = [batch.slice(0, cut), batch.slice(cut, batch.size)]
    whole = batch_loss(batch).item()
    mean = sum(batch_loss(part).item() * part.size for part in parts) / batch.size
    if _close(whole, mean, _tolerance(model, 1e4)):
        return
    norms = [name for name, module in model.named_modules() if _uses_batch_statistics(module)]
    blame = (
        f"{norms[0]} normalises with the statistics of the batch even in eval mode"
        if norms
        else "the loss function is not a mean over the batch (a sum?), or samples see each other"
    )
    raise InputError(
        f"the loss depends on how samples are batched: {whole:.8g} for {batch.size} at once, "
        f"{mean:.8g} in two parts; {blame} (verify=False measures it all the same)"
    )


def _first_difference(
    model: nn.Module, forward: Callable[[Batch], Any], batch: Batch
) -> str | None:
    """The first leaf module whose output differs between two passes."""
    records: list[list[tuple[str, Tensor]]] = []
    leaves = [(name, m) for name, m in model.named_modules() if not any(m.children())]
    for _ in range(2):
        record: list[tuple[str, Tensor]] = []

        def keep(
            module: nn.Module,
            _inputs: Any,
            output: Any,
            record: list[tuple[str, Tensor]] = record,
            names: dict[nn.Module, str] = {m: n for n, m in leaves},  # noqa: B006
        ) -> None:
            if isinstance(output, Tensor):
                record.append((f"{names[module]} ({type(module).__name__})", output.clone()))

        handles = [module.register_forward_hook(keep) for _, module in leaves]
        try:
            forward(batch)
        finally:
            for handle in handles:
                handle.remove()
        records.append(record)
    for (name, one), (_, other) in zip(*records, strict=False):
        if one.shape != other.shape or not torch.equal(one, other):
            return name
    return None


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
