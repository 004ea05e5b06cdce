"""An exponential moving average of the weights (Polyak and Juditsky, 1992)."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class MovingAverage:
    """``model`` is a copy whose weights and statistics trail those of the one in training.

    The decay rises with the number of updates t as (1 + t) / (10 + t), so that the first weights
    don't weigh on a short run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights of ``model``."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        own, theirs = self.model.state_dict(), model.state_dict()
        moving = [name for name, tensor in own.items() if tensor.is_floating_point()]
        averages: list[Tensor] = [own[name] for name in moving]
        torch._foreach_lerp_(averages, [theirs[name] for name in moving], 1 - decay)
        for name in own.keys() - set(moving):
            own[name].copy_(theirs[name])

    def state(self) -> dict[str, Any]:
        """What a run has to keep to continue."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]
