"""Calling a model with the inputs of a batch, and what is taken from its outputs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from landscape.data.batches import Batch
from landscape.errors import InputError
from landscape.models.outputs import logits_of


def call_model(model: Callable[..., Any], batch: Batch) -> Any:
    """The model's outputs for a batch.

    Inputs that are a tuple are passed as positional arguments, those of a dict by keyword.
    """
    if isinstance(batch.inputs, Mapping):
        return model(**batch.inputs)
    if type(batch.inputs) is tuple:
        return model(*batch.inputs)
    return model(batch.inputs)


def tensor_output(outputs: Any) -> Any:
    """The logits of an output object that names them, as Hugging Face's do; else the outputs.

    Of a plain tuple or dict nothing says which entry the loss is of.
    """
    return outputs if type(outputs) in (tuple, list, dict) else logits_of(outputs)


def is_labelled(inputs: Any) -> bool:
    """Whether the inputs of a batch are a dict with the labels that a model's loss takes."""
    return isinstance(inputs, Mapping) and "labels" in inputs


def loss_of_model(outputs: Any, targets: Any) -> Tensor:  # noqa: ARG001
    """The loss that a model returns as ``outputs.loss``, as Hugging Face's do for labels."""
    loss = getattr(outputs, "loss", None)
    if loss is None and isinstance(outputs, Mapping):
        loss = outputs.get("loss")
    if not isinstance(loss, Tensor):
        raise InputError(
            "the model returns no loss of its own; pass loss=f(outputs, labels), or "
            "step=f(model, batch)"
        )
    return loss


def outputs_for(function: Any, outputs: Any) -> Any:
    """The outputs as a loss or metric takes them: torch's and this toolkit's take the logits."""
    if isinstance(outputs, Tensor) or function is loss_of_model:
        return outputs
    if isinstance(function, partial):
        function = function.func
    place = type(function) if isinstance(function, nn.Module) else function
    is_known = str(getattr(place, "__module__", "")).startswith(("torch.nn.", "landscape."))
    return tensor_output(outputs) if is_known else outputs


def measure_metric(metric: Callable[..., Any], outputs: Any, batch: Batch) -> Any:
    """The value of a metric for what :func:`call_model` gave for a batch."""
    return metric(outputs_for(metric, outputs), batch.targets)
