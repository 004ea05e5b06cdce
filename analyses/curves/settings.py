"""Which epochs of the training curves are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from landscape.errors import InputError
from landscape.runtime.options import option

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Settings:
    """What is drawn."""

    every: int = option(1, "draw every Nth epoch", metavar="N")

    def __post_init__(self) -> None:
        """Raise InputError for a step that is none."""
        if self.every < 1:
            raise InputError(f"--every has to be positive, got {self.every}")
