"""A step between its two passes, and the GradScaler between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import OptState
from torch.optim import Optimizer


class LossScale:
    """A GradScaler, as far as SAM's two passes need it.

    A GradScaler unscales once between two updates, which is for the gradient that a step is taken
    along. The gradient of the first pass is unscaled here, without its knowledge.
    """

    def __init__(self, scaler: torch.amp.GradScaler, optimizer: Optimizer) -> None:
        self._scaler = scaler
        self._optimizer = optimizer

    def unscale_first(self, gradients: list[Tensor]) -> None:
        """Divide the gradients of the first pass by the scale, unless the caller has done so."""
        if self._state.get("stage") is OptState.UNSCALED:
            # To be unscaled again, with the gradients of the second pass.
            del self._scaler._per_optimizer_states[id(self._optimizer)]
        else:
            torch._foreach_mul_(gradients, 1.0 / self._scaler.get_scale())

    def unscale(self) -> bool:
        """Unscale the gradients that a step is taken along, unless that is done already.

        Returns:
            Whether all are finite; else the scaler will lower its scale.
        """
        if self._state.get("stage") is not OptState.UNSCALED:
            self._scaler.unscale_(self._optimizer)
        return not any(map(bool, self._state["found_inf_per_device"].values()))

    @property
    def _state(self) -> Mapping[str, Any]:
        states: Mapping[int, dict[str, Any]] = self._scaler._per_optimizer_states
        return states.get(id(self._optimizer), {})


@dataclass
class StepUnderWay:
    """A step from its first pass on.

    Attributes:
        is_under_way: Whether there was a first pass.
        kept: The gradients of the first pass, in a step that needs no second one.
        scale: What the gradients are scaled by.
        is_corrected: Whether ``.grad`` holds what the base optimizer steps along.
        is_finite: Whether the GradScaler, if any, found these gradients finite.
    """

    is_under_way: bool = False
    kept: list[Tensor | None] | None = None
    scale: LossScale | None = None
    is_corrected: bool = False
    is_finite: bool = True
