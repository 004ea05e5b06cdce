"""Reading data into the batches that an objective evaluates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from landscape.data.batches import Batch, rebatch
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

    def weighed_splits(
        self,
        batches: list[Batch],
        data: Any,
        extra_splits: Mapping[str, Any],
        criterion: Criterion,
        module: nn.Module,
    ) -> tuple[list[Batch], dict[str, list[Batch]]]:
        """The batches of the data and of further splits, each with what it counts for.

        Args:
            batches: those that were read from ``data``.
            data: what they were read from.
            extra_splits: further data, by name, which are read here.
            criterion: the loss.
            module: the model, which decides how large batches are.

        Raises:
            InputError: if no batch of a split counts, or if the weight of one isn't known.
        """
        batches = self._fitted(batches, data, lambda batch: criterion.call(module, batch))
        weighed = _weighed(batches, criterion, module)
        as_large = replace(self, batch_size=self.batch_size or weighed[0].size)
        is_step = criterion.step is not None
        return weighed, {
            name: _weighed(as_large.read(split, is_step=is_step), criterion, module)
            for name, split in extra_splits.items()
        }

    def _fitted(self, batches: list[Batch], data: Any, call: Callable[[Batch], Any]) -> list[Batch]:
        """Unbatched samples in batches whose intermediate results stay small."""
        if self.batch_size or self.whole or is_batched(data) or batches[0].is_whole:
            return batches
        first = batches[0].slice(0, 1)
        try:
            size = choose_batch_size(lambda: call(first), self.device)
        except MISTAKES:  # the model takes no single sample
            return batches
        return rebatch(batches, size)


def _weighed(batches: list[Batch], criterion: Criterion, module: nn.Module) -> list[Batch]:
    """The batches that count, each with what it counts for in the mean.

    Raises:
        InputError: if none counts, or if the weight of a batch isn't known.
    """
    if len(batches) == 1 and batches[0].is_whole and criterion.weight is None:
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
