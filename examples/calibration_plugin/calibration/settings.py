"""In how many bins of confidence the accuracy is counted."""

from dataclasses import dataclass

from landscape import InputError
from landscape.runtime.options import option


@dataclass(frozen=True)
class Settings:
    """Every field is a flag of the command."""

    bins: int = option(5, "bins of equal width between confidence 0 and 1", metavar="N")

    def __post_init__(self) -> None:
        """Raise InputError for what can't be measured."""
        if self.bins < 1:
            raise InputError(f"--bins has to be at least 1, got {self.bins}")
