"""The settings of the recursion: how many samples have their own Hessians measured."""

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_numbers, option


@dataclass(frozen=True)
class Settings:
    """How many samples have their own Hessians measured."""

    recursion_samples: int = option(
        8, "samples whose pre-activation Hessians are measured, drawn with --seed", metavar="N"
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError if there is not at least one sample."""
        if self.recursion_samples < 1:
            raise InputError(
                f"--recursion-samples has to be at least 1, got {self.recursion_samples}"
            )
        check_numbers(self)
