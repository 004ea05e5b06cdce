"""The first call of a model and its loss, where most mistakes of a caller show."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from landscape.data.batches import Batch
from landscape.data.structures import tensors_in
from landscape.errors import InputError
from landscape.objective.criterion import Criterion
from landscape.objective.losses import LossFunction
from landscape.objective.model_call import measure_metric, outputs_for
from landscape.objective.reductions import broadcasts

# What user code raises for data that don't fit it, or by a mistake of its own. Anything else is
# passed on as it is.
MISTAKES = (
    RuntimeError, TypeError, ValueError, LookupError, AttributeError, NameError, AssertionError,
    ArithmeticError, ImportError,
)  # fmt: skip
# torch's message where a derivative is taken of what was computed without a graph.
_WITHOUT_GRAPH = "does not require grad"


def needs_gradients(
    module: nn.Module, criterion: Criterion, metrics: Mapping[str, LossFunction], batch: Batch
) -> bool:
    """Call model, loss and metrics once; say whether the first two take gradients.

    Those of a physics-informed model do.

    Args:
        module: in evaluation mode.
        criterion: the loss.
        metrics: further functions of the outputs, by name.
        batch: what the model is called with.

    Raises:
        InputError: if model, loss or metrics don't take the batch, or a metric is no scalar; the
            message says what they were given.
    """
    try:
        with torch.no_grad():
            _call_all(module, criterion, metrics, batch)
    except InputError as error:
        if _WITHOUT_GRAPH not in str(error):
            raise
        with torch.enable_grad():
            _call_all(module, criterion, metrics, batch)
        return True
    return False


def _call_all(
    module: nn.Module, criterion: Criterion, metrics: Mapping[str, LossFunction], batch: Batch
) -> None:
    outputs = _call(module, criterion, batch)
    for name, metric in metrics.items():
        _refuse_broadcasting(metric, name, outputs_for(metric, outputs), batch)
        try:
            value = measure_metric(metric, outputs, batch)
        except MISTAKES as error:
            raise InputError(
                f"the metric {name} does not take outputs {describe(outputs)} with targets "
                f"{describe(batch.targets)}: {_line(error)}"
            ) from error
        if not isinstance(value, Tensor) or value.dim() or value.is_complex():
            raise InputError(
                f"expected a metric {name} that returns a scalar tensor, the mean over the batch; "
                f"got one {describe(value)}"
            )


def _call(module: nn.Module, criterion: Criterion, batch: Batch) -> Any:
    """The outputs of the model, after the loss has taken them."""
    try:
        outputs = criterion.call(module, batch)
    except MISTAKES as error:
        if isinstance(error, InputError):
            raise
        called = "step" if criterion.step is not None else "the model"
        given = f"the batch {describe(batch.inputs)}"
        if criterion.step is None:
            given = f"inputs {describe(batch.inputs)}"
        raise InputError(f"{called} does not take {given}: {_line(error)}") from error
    _refuse_broadcasting(criterion.loss, criterion.name, outputs, batch)
    try:
        criterion.mean(outputs, batch)
    except MISTAKES as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"the loss {criterion.name} does not take outputs {describe(outputs)} with targets "
            f"{describe(batch.targets)}{_advice(outputs, batch.targets)}: {_line(error)}"
        ) from error
    return outputs


def _refuse_broadcasting(function: Any, name: str, outputs: Any, batch: Batch) -> None:
    if broadcasts(function, outputs, batch.targets):
        raise InputError(
            f"the outputs are {describe(outputs)}, the targets {describe(batch.targets)}, which "
            f"{name} would broadcast to all pairs; pass targets of the outputs' shape"
        )


def describe(structure: Any) -> str:
    """Type and shape of a tensor, or of the tensors in a structure, in a few words."""
    if isinstance(structure, Tensor):
        return f"of shape {tuple(structure.shape)} ({str(structure.dtype).removeprefix('torch.')})"
    shapes = [str(tuple(tensor.shape)) for tensor in tensors_in(structure)]
    inside = f" of tensors {', '.join(shapes[:4])}" if shapes else ""
    return f"of type {type(structure).__name__}{inside}"


def _advice(outputs: Any, targets: Any) -> str:
    """What is probably wrong with the targets of a classifier; empty where nothing is known."""
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)) or outputs.dim() != 2:
        return ""
    if targets.is_floating_point() and targets.dim() == 1:
        return "; class numbers have to be integers (targets.long()), and regression needs loss="
    if targets.dim() == 2 and targets.shape[1] == 1:
        return "; class numbers have to be of shape (n,): targets.squeeze(1)"
    if targets.dim() == 2 and targets.shape == outputs.shape:
        return "; class probabilities have to be floats (targets.float())"
    if targets.dtype == torch.bool:
        return "; class numbers have to be integers (targets.long())"
    if targets.dim() == 1 and targets.numel():
        low, high = int(targets.min()), int(targets.max())
        if low < 0 or high >= outputs.shape[1]:
            return (
                f"; classes are numbered {low} to {high}, the outputs 0 to {outputs.shape[1] - 1}"
            )
    if targets.dtype in (torch.int32, torch.int16, torch.uint8):
        return "; class numbers have to be of type int64 (targets.long())"
    return ""


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
