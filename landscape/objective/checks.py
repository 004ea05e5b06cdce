"""Checks that the loss of a batch is the same each time, and does not depend on its neighbours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from landscape.data.batches import Batch
from landscape.errors import InputError
from landscape.objective.twin import Twin


def check_same_value(twin: Twin, batch: Batch, without: float, with_gradients: float) -> None:
    """Check that two passes over one batch gave the same loss, without and with gradients.

    Args:
        twin: the model and the loss.
        batch: what was evaluated, in the twin's type.
        without: the loss of the first pass; with gradients if the model takes none without.
        with_gradients: the loss of the second pass, with gradients.

    Raises:
        InputError: if the two losses differ; the message names the module that causes it.
    """
    if twin.agree(without, with_gradients):
        return
    try:
        with torch.no_grad():
            again = twin.loss(batch).item()
    except RuntimeError:  # the model takes derivatives itself
        again = twin.loss(batch).item()
    if twin.agree(without, again):
        raise InputError(
            f"the loss is {without:.8g} without gradients and {with_gradients:.8g} with them, so "
            "that its derivatives are those of another function; let the forward pass compute the "
            "same whether torch.is_grad_enabled() or not"
        )

    def forward(given: Batch) -> Any:
        return twin.criterion.call(twin.module, given)

    culprit = _first_difference(twin.module, forward, batch)
    blame = f"module {culprit} gives" if culprit else "the loss function or a forward pass gives"
    raise InputError(
        f"the loss is not deterministic: {without:.8g}, then {again:.8g} on the same batch; "
        f"{blame} different values for the same input; make it deterministic in evaluation mode"
    )


def check_no_batch_statistics(module: nn.Module, batches: Sequence[Batch]) -> None:
    """Raise InputError if a BatchNorm takes its statistics from batches that could be cut."""
    norms = [name for name, layer in module.named_modules() if _uses_batch_statistics(layer)]
    if norms and not all(batch.is_whole for batch in batches):
        raise InputError(
            f"the loss depends on how samples are batched: {norms[0]} (BatchNorm without running "
            "statistics) normalises with the statistics of the batch even in evaluation mode; "
            "give it running statistics"
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
