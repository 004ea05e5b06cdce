"""An exponential moving average of the weights (Polyak and Juditsky, 1992)."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


# torch.optim.swa_utils.AveragedModel would change ema.pt: it copies the first weights instead of
# averaging them with the initial ones, and it averages integer buffers (num_batches_tracked), too.
class MovingAverage:
    """A copy of a model whose weights and running statistics are a moving average of the model's.

    The decay of update t is min(``decay``, (1 + t) / (10 + t)), so that the initial weights don't
    dominate a short run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Average with the current weights of ``model``; integer buffers are copied."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, current = self.model.state_dict(), model.state_dict()
        floats = [name for name, tensor in averages.items() if tensor.is_floating_point()]
        torch._foreach_lerp_(
            [averages[name] for name in floats], [current[name] for name in floats], 1 - decay
        )
        for name in averages.keys() - set(floats):
            averages[name].copy_(current[name])

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps to resume the average."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load(self, state: Mapping[str, Any]) -> None:
        """Resume from :meth:`state`."""
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]
