"""The settings of attention: of how many pictures maps are made."""

from __future__ import annotations

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_numbers, option


@dataclass(frozen=True)
class Settings:
    """Of how many pictures attention maps are made."""

    pictures: int = option(
        4, "pictures whose attention maps are shown, the first of different classes", metavar="N"
    )

    def __post_init__(self) -> None:
        """Raise InputError if there is not at least one picture."""
        if self.pictures < 1:
            raise InputError(f"--pictures has to be at least 1, got {self.pictures}")
        check_numbers(self)
