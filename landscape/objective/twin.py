"""A copy of a model and its loss in float64, in which differences are not lost in rounding."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from landscape.data.batches import Batch
from landscape.objective.criterion import Criterion
from landscape.objective.eval_copy import convert, copy_module, share_storage
from landscape.objective.first_call import MISTAKES

# The largest relative difference of two losses that are equal but for rounding, in float64 and in
# float32. Some models compute their loss in float32 whatever their weights are, hence the first.
TOLERANCES = {torch.float64: 2e-6, torch.float32: 1e-4}


class Twin:
    """The loss of a batch by a copy of a module whose weights can be moved.

    Args:
        module: in evaluation mode; it is not changed.
        criterion: the loss.
        dtype: the floating type of the copy.

    Attributes:
        theta: the trainable parameters, of shape (P,).
        tolerance: the relative difference that rounding explains.
        value_type: the type of the loss, which some models compute in float32 whatever their
            weights are.
    """

    def __init__(self, module: nn.Module, criterion: Criterion, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.module = convert(copy_module(module), next(module.parameters()).device, dtype)
        self.criterion = criterion.to(next(module.parameters()).device, dtype)
        self._live = share_storage([p for p in self.module.parameters() if p.requires_grad])
        self.theta = self._live.clone()
        self.tolerance = TOLERANCES[torch.float64 if dtype == torch.float64 else torch.float32]
        self.value_type = dtype

    @property
    def epsilon(self) -> float:
        """The relative rounding of the loss."""
        return torch.finfo(self.value_type).eps

    @classmethod
    def with_loss(
        cls, module: nn.Module, criterion: Criterion, candidates: Sequence[Batch]
    ) -> "tuple[Twin, Batch, float]":
        """A twin, in float64 if it can be, with the first batch that it takes, and the loss of it.

        Args:
            module: in evaluation mode; it is not changed.
            criterion: the loss.
            candidates: batches, of which the last is taken by the module itself.

        Returns:
            The twin, the batch in its type, and the loss, which is not nan for want of labels.
        """
        own_type = next(p.dtype for p in module.parameters() if p.is_floating_point())
        for dtype in dict.fromkeys((torch.float64, own_type)):
            twin = cls(module, criterion, dtype)
            for batch in map(twin.cast, candidates):
                try:
                    loss, weight = twin.weighed_loss(batch)
                except MISTAKES:  # the model takes no part of a batch, or no float64
                    continue
                if weight or batch.size == candidates[-1].size:
                    twin.value_type = loss.dtype
                    return twin, batch, loss.item()
        raise AssertionError("the module has taken the last batch before")

    def cast(self, batch: Batch) -> Batch:
        """A batch with floating tensors in the twin's type."""
        return batch.in_precision(self.dtype)

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch in the twin's type, at the weights that are in place."""
        return self.criterion.mean(self.criterion.call(self.module, batch), batch)

    def weighed_loss(self, batch: Batch) -> tuple[Tensor, float]:
        """The loss of a batch, and what it averages over, which of a whole one is no matter."""
        if batch.is_whole:
            return self.loss(batch), 1.0
        return self.criterion.weighed_mean(self.module, batch)

    def agree(self, first: float, second: float) -> bool:
        """Whether two losses are equal but for rounding; non-finite ones pass unchecked."""
        if not (math.isfinite(first) and math.isfinite(second)):
            return True
        # Losses near 0 are differences of numbers of order 1.
        scale = max(abs(first), abs(second), 10 * self.tolerance)
        return abs(first - second) <= self.tolerance * scale

    def loss_at(self, batch: Batch, theta: Tensor) -> Tensor:
        """The loss of a batch at other weights, of shape (P,)."""
        try:
            self._live.copy_(theta)
            return self.loss(batch)
        finally:
            self._live.copy_(self.theta)
