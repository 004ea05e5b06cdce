"""The settings of training curves: which epochs are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_numbers, option


@dataclass(frozen=True)
class Settings:
    """Which epochs are drawn; the file holds all of them."""

    every: int = option(1, "draw every Nth epoch", metavar="N")

    def __post_init__(self) -> None:
        """Raise InputError if the step is not positive."""
        if self.every < 1:
            raise InputError(f"--every has to be positive, got {self.every}")
        check_numbers(self)
