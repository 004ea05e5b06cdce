"""Where on the line between two checkpoints to measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyses.slices.grid import Axis
from analyses.slices.settings import SliceSettings
from landscape.runtime.options import option

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Settings(SliceSettings):
    """Where on the line to measure; 0 and 1 are the two checkpoints."""

    x: Axis = option(
        Axis(-0.2, 1.2, 29), "0 is the first checkpoint, 1 the other", parse=Axis.parse,
        metavar="MIN:MAX:N",
    )  # fmt: skip
