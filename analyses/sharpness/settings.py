"""The saved epochs at which sharpness is measured."""

from dataclasses import dataclass

from landscape.runtime.options import option


@dataclass(frozen=True)
class Settings:
    """Which of the saved epochs are measured."""

    every: int = option(1, "take every Nth of the saved epochs", metavar="N")
    seed: int = 0
