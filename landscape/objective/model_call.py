"""Calling a model with the inputs of a batch."""

from collections.abc import Callable, Mapping
from typing import Any

from landscape.data.batches import Batch


def call_model(model: Callable[..., Any], batch: Batch) -> Any:
    """The model's outputs for a batch.

    Inputs that are a tuple are passed as positional arguments, those of a dict by keyword.
    """
    if isinstance(batch.inputs, Mapping):
        return model(**batch.inputs)
    if isinstance(batch.inputs, tuple):
        return model(*batch.inputs)
    return model(batch.inputs)
