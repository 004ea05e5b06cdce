"""The mini-batches, and how many eigenvalues of each are measured."""

import math
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_choices, check_numbers, option


@dataclass(frozen=True)
class Settings:
    """The mini-batches and how many eigenvalues of each are measured."""

    minibatches: int = option(24, "how many mini-batches", metavar="N")
    minibatch_size: int = option(16, "samples in each", metavar="N")
    minibatch_top: int = option(5, "eigenvalues of each, by magnitude", metavar="K")
    l2: float = option(0.0, "add an L2 term of λ/2 ‖θ‖² to the loss", metavar="λ")
    augmentation: str = option(
        "none",
        "crop-flip: each picture shifted by up to an eighth and mirrored half the time",
        choices=("none", "crop-flip"),
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for counts below 1 and a negative L2 term."""
        check_choices(self)
        for name in ("minibatches", "minibatch_size", "minibatch_top"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} has to be at least 1, got {getattr(self, name)}")
        if not 0 <= self.l2 < math.inf:
            raise InputError(f"--l2 can't be negative, got {self.l2}")
        check_numbers(self)
