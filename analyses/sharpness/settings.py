"""The saved epochs at which sharpness is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from landscape.runtime.options import option

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Settings:
    """Which of the saved epochs."""

    every: int = option(1, "take every Nth of the saved epochs", metavar="N")
    seed: int = 0
