"""A model whose trainable parameters are one vector that can be moved through weight space."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from landscape.objective.eval_copy import (
    make_eval_copy,
    share_storage,
    statistics_of,
    weights_at,
)
from landscape.parameters.layout import ParameterLayout
from landscape.results.hashing import hash_tensors


class MovableModel:
    """A copy of a model in evaluation mode, as a point theta of shape (P,) in weight space.

    Args:
        model: what is copied.
        device: where the copy lives.
        dtype: its floating type.

    Attributes:
        module: the copy.
        layout: which stretch of theta is which tensor.
        parameters: the trainable parameters, as tensors.
        theta: their values as one vector; it is never changed.
        live_weights: the vector that the parameters are views of, so that writing it moves them.
        statistics: BatchNorm's running statistics as one vector; it is never changed.
        live_statistics: the vector that these are views of.

    Raises:
        InputError: if the model has no trainable parameter or can't be copied.
    """

    def __init__(self, model: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
        self.module = make_eval_copy(model, device, dtype)
        self.layout = ParameterLayout.of(self.module)
        self.parameters = [p for p in self.module.parameters() if p.requires_grad]
        self.live_weights = share_storage(list(self.parameters))
        self.live_statistics = share_storage(list(statistics_of(self.module).values()))
        self.theta = self.live_weights.clone()
        self.statistics = self.live_statistics.clone()

    @property
    def num_parameters(self) -> int:
        """P, the length of theta."""
        return self.layout.size

    def restore(self) -> None:
        """Undo changes of :attr:`live_weights` and :attr:`live_statistics`."""
        self.live_weights.copy_(self.theta)
        self.live_statistics.copy_(self.statistics)

    def weights_hash(self) -> str:
        """SHA-256 of the model's parameters, frozen ones included, and buffers."""
        frozen = (p.detach() for p in self.module.parameters() if not p.requires_grad)
        return hash_tensors([self.theta, *self.module.buffers(), *frozen])

    def _at(self, theta: Tensor | None) -> AbstractContextManager[None]:
        return weights_at(theta, self.live_weights, self.theta)
