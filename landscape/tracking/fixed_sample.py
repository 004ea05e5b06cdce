"""The samples that a tracker measures on, read once."""

import copy
from collections.abc import Iterable
from itertools import islice
from typing import Any

from torch.utils.data import DataLoader, Dataset, IterableDataset

from landscape.errors import InputError
from landscape.runtime.random_state import preserved_random_state

# The batch size with which a Dataset is read.
BATCH = 256


def fixed_sample(data: Any, batches: int | None) -> Any:
    """A copy of the samples, in a form that gives the same ones whenever it is read.

    Args:
        data: A pair of tensors or arrays, a Dataset, or an iterable of batches of any kind.
        batches: How many batches of an iterable are read; None for all.

    Raises:
        InputError: The data is in none of these forms.
    """
    if isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], tuple | list | dict):
        return copy.deepcopy(data)
    # Copies, since a loader may write over its batches, and users may change their tensors.
    with preserved_random_state():
        if isinstance(data, Dataset) and not isinstance(data, IterableDataset):
            data = DataLoader(data, batch_size=BATCH)
        if not isinstance(data, Iterable) or isinstance(data, str | bytes | dict):
            raise InputError(
                "the sample has to be a pair of tensors, a Dataset or an iterable of batches, got "
                f"{type(data).__name__}"
            )
        return [copy.deepcopy(batch) for batch in islice(data, batches)]
