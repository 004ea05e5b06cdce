"""Reading data into the batches that an objective evaluates."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from landscape.data.batches import Batch, is_cuttable, rebatch
from landscape.data.batching import choose_batch_size
from landscape.data.resident import is_batched, resident_batches
from landscape.errors import InputError
from landscape.objective.criterion import Criterion
from landscape.objective.first_call import MISTAKES

# The batch size with which data are read before the model has shown how much it can take.
PROVISIONAL_BATCH = 256


@dataclass(frozen=True)
class Reading:
    """How data are read.

    Attributes:
        batch_size: how many samples go through the model at once; 0 leaves it to the model's size.
        whole: whether batches have to stay in one piece.
        samples: how many samples are read; 0 for all.
        device: where the batches are kept.
        dtype: the type of floating tensors.
    """

    batch_size: int
    whole: bool
    samples: int
    device: torch.device
    dtype: torch.dtype

    def read(self, data: Any, *, is_step: bool) -> list[Batch]:
        """The samples of ``data`` as batches; data that come in batches keep them.

        Raises:
            InputError: for what is no data, for data without samples and for data without an end.
        """
        return resident_batches(
            data,
            self.batch_size or PROVISIONAL_BATCH,
            self.device,
            self.dtype,
            is_step=is_step,
            whole=self.whole,
            samples=self.samples,
        )

    def fitted(self, batches: list[Batch], data: Any, call: Callable[[Batch], Any]) -> list[Batch]:
        """Unbatched samples in batches whose intermediate results stay small."""
        if self.batch_size or self.whole or is_batched(data) or not is_cuttable(batches[0]):
            return batches
        first = batches[0].slice(0, 1)
        try:
            size = choose_batch_size(lambda: call(first), self.device)
        except MISTAKES:  # the model takes no single sample
            return batches
        return rebatch(batches, size)


def weighed(batches: list[Batch], criterion: Criterion, module: nn.Module) -> list[Batch]:
    """The batches that count, each with what it counts for in the mean.

    Raises:
        InputError: if none counts, or if the weight of a batch isn't known.
    """
    if len(batches) == 1 and not is_cuttable(batches[0]) and criterion.weight is None:
        return batches  # a mean of one

    def weigh(batch: Batch) -> float:
        return criterion.weigh(module, batch)

    counted = [replace(batch, weigh=weigh) for batch in batches]
    counted = [batch for batch in counted if batch.weight > 0]
    if not counted:
        raise InputError(
            "no sample counts in the loss: all labels are ignored, or all weights are 0"
        )
    return counted
