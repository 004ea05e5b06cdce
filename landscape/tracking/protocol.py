"""What a callback of another library needs of a tracker."""

from typing import Protocol

import torch
from torch import nn


class MeasuresAt(Protocol):
    """Something that measures at every Nth step or epoch.

    Attributes:
        unit: What the numbers count, ``step`` or ``epoch``.
    """

    unit: str

    def at(
        self, number: int, model: nn.Module, optimizer: torch.optim.Optimizer | None = None
    ) -> None:
        """Measure after step (or epoch) ``number`` if it is the turn of it; 0 is the start."""
