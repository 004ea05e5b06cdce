"""Reading data into the batches that an objective evaluates."""

from typing import Any

import torch
from torch import nn

from landscape.data.batches import Batch, is_batched, rebatch, resident_batches
from landscape.data.batching import choose_batch_size
from landscape.objective.model_call import call_model

# The batch size with which data are read before the model has shown how much it can take.
PROVISIONAL_BATCH = 256


def read_batches(
    data: Any, batch_size: int, module: nn.Module, device: torch.device, dtype: torch.dtype
) -> list[Batch]:
    """The samples of ``data`` as batches on ``device``, floats as ``dtype``.

    Data that come in batches of their own keep them. A ``batch_size`` of 0 is chosen by the size
    of the intermediate results of ``module``.

    Raises:
        InputError: for what is no data, and for data without samples.
    """
    batches = resident_batches(data, batch_size or PROVISIONAL_BATCH, device, dtype)
    if batch_size or is_batched(data):
        return batches
    first = batches[0].slice(0, 1)
    try:
        with torch.no_grad():
            size = choose_batch_size(lambda: call_model(module, first), device)
    except (RuntimeError, ValueError):  # the model takes no single sample, or not this data at all
        return batches
    return rebatch(batches, size)
