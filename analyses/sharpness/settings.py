"""The saved epochs at which sharpness is measured."""

from dataclasses import dataclass

from analyses.saved_epochs import as_words, epochs_option
from landscape.errors import InputError
from landscape.runtime.options import check_numbers, option


@dataclass(frozen=True)
class Settings:
    """Which of the saved epochs are measured."""

    epochs: tuple[str, ...] = epochs_option()
    every: int = option(1, "take every Nth of the saved epochs", metavar="N")
    seed: int = 0

    def __post_init__(self) -> None:
        """Take one pattern from Python as it is.

        Raises InputError if the step is not positive.
        """
        object.__setattr__(self, "epochs", as_words(self.epochs))
        if self.every < 1:
            raise InputError(f"--every has to be positive, got {self.every}")
        check_numbers(self)
