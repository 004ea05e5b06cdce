"""Evaluation modes: a model's forward pass rewritten to be fast for many points.

Every mode computes the same function with other roundings: with BatchNorms folded into convolutions
and channels last, compiled, or in the arithmetic of TF32 or bfloat16. It reads the objective's own
parameters in place.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from landscape.data.batches import Batch
from landscape.data.structures import map_structure
from landscape.objective.folding import fold_batch_norms, folded_convolutions
from landscape.objective.objective import Objective
from landscape.runtime.devices import full_precision, tf32_allowed


@dataclass(frozen=True)
class EvaluationMode:
    """How the loss is evaluated.

    Attributes:
        precision: ``fp32``, ``fp64``, ``tf32`` or ``bf16``.
        rewritten: with BatchNorms folded into convolutions and channels last.
        compiled: by ``torch.compile``.
        points: how many points go through one batched forward pass.
        error: the largest relative difference of the loss from that of the plain module in
            float32, at the points where both were computed; 0 for the plain module itself.
        noise: the standard errors, by the name of a point's value, that come from this precision:
            relative for losses. Empty where they were not measured, or are rounding of float32.
    """

    precision: str = "fp32"
    rewritten: bool = False
    compiled: bool = False
    error: float = 0.0
    points: int = 1
    noise: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether it is the user's module in the precision of its weights, point by point."""
        is_changed = self.rewritten or self.compiled or self.points > 1
        return not is_changed and self.precision in ("fp32", "fp64")


class Forward:
    """The forward pass of an objective's model; call :meth:`refresh` after weights have moved."""

    def __init__(self, objective: Objective, mode: EvaluationMode) -> None:
        self.mode = mode
        self._criterion = objective.criterion
        self._needs_gradients = objective.needs_gradients
        self._device = objective.device
        module = objective.module
        if mode.rewritten:
            module = fold_batch_norms(module) or module
        self._folded = list(folded_convolutions(module))
        self._channels_last = mode.rewritten and prefers_channels_last(objective.module)
        self._call: Callable[..., Any] = torch.compile(module) if mode.compiled else module

    def refresh(self) -> None:
        """Fold the weights as they are now."""
        for convolution in self._folded:
            convolution.fold()

    def __call__(self, batch: Batch) -> Any:
        """The outputs for a batch, in float32 or float64."""
        if self._channels_last:
            batch = batch.with_inputs(map_structure(_channels_last, batch.inputs))
        outputs = self._criterion.call(self._call, batch)
        if self.mode.precision == "bf16":
            outputs = _single(outputs)
        return outputs

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """The context of calls at one point: autocast keeps weights that it has converted."""
        with torch.set_grad_enabled(self._needs_gradients):
            if self.mode.precision == "tf32":
                with tf32_allowed():
                    yield
            elif self.mode.precision == "bf16":
                with full_precision(), torch.autocast(self._device.type, torch.bfloat16):
                    yield
            else:
                with full_precision():
                    yield


def can_be_rewritten(module: nn.Module) -> bool:
    """Whether rewriting changes the model: it is convolutional or has BatchNorms to fold."""
    return prefers_channels_last(module) or fold_batch_norms(module) is not None


def prefers_channels_last(module: nn.Module) -> bool:
    """Whether the model is convolutional, for which a ViT's patch embedding is not enough."""
    return sum(isinstance(submodule, nn.Conv2d) for submodule in module.modules()) > 1


def _single(outputs: Any) -> Any:
    """Outputs with floating tensors as float32; anything else is returned unchanged."""
    if isinstance(outputs, Tensor):
        return outputs.float() if outputs.is_floating_point() else outputs
    if type(outputs) in (tuple, list):
        return type(outputs)(map(_single, outputs))
    if type(outputs) is dict:
        return {key: _single(value) for key, value in outputs.items()}
    return outputs


def _channels_last(tensor: Tensor) -> Tensor:
    if tensor.dim() != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)
