"""The loss along a line."""

from dataclasses import dataclass
from typing import Any, ClassVar

from analyses.line.settings import Settings
from analyses.slices.result import Slice


@dataclass(frozen=True)
class Line(Slice):
    """Values of shape (nx,)."""

    analysis: ClassVar[str] = "line"
    settings_type: ClassVar[type[Any]] = Settings

    def headline(self) -> dict[str, Any]:
        """The slice's numbers and the loss at both ends."""
        ends = {"loss_at_start": self.loss[0], "loss_at_end": self.loss[-1]}
        return {**super().headline(), **ends}

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        ends = dict.fromkeys(("loss_at_start", "loss_at_end"), self.provenance.loss_unit)
        return {**super().headline_units(), **ends}
