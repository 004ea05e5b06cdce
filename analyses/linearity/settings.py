"""The settings of linearity: the points between two inputs, and how many pairs."""

from __future__ import annotations

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_numbers, option


@dataclass(frozen=True)
class Settings:
    """At which points between the inputs, and how many pairs."""

    segment: int = option(11, "points from one input to the other, an odd number", metavar="N")
    pairs: int = option(0, "pairs of inputs; 0: as many as the sample has", metavar="N")
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError if the segment has no midpoint or the number of pairs is negative."""
        if self.segment < 3 or self.segment % 2 == 0:
            raise InputError(
                f"--segment has to be an odd number from 3, to have a midpoint, got {self.segment}"
            )
        if self.pairs < 0:
            raise InputError(f"--pairs has to be at least 0, got {self.pairs}")
        check_numbers(self)
