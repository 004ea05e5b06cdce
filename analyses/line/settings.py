"""The coordinates of a line and its direction."""

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
    """The coordinates and the direction."""

    x: Axis = option(
        Axis(-1.0, 1.0, 51), "coordinates along x", parse=Axis.parse, metavar="MIN:MAX:N"
    )
