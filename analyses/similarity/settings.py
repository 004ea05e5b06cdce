"""How many samples are compared, with which weights, and the factor of the rescaling."""

import math
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.choices import FEWEST_CKA_SAMPLES
from landscape.runtime.options import check_numbers, option


@dataclass(frozen=True)
class Settings:
    """How many samples are compared, with which weights, and the factor of the rescaling."""

    cka_samples: int = option(256, "samples whose features are compared", metavar="N")
    reference: str = option(
        "",
        "compare the weights with those of CHECKPOINT (default: of the first one given of the "
        "same architecture)",
        metavar="CHECKPOINT",
    )
    rescale: float = option(
        2.0, "factor of the rescalings that leave the function as it is", metavar="FACTOR"
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for too few samples and for a factor that rescales nothing."""
        if self.cka_samples < FEWEST_CKA_SAMPLES:
            raise InputError(
                f"--cka-samples has to be at least {FEWEST_CKA_SAMPLES}, got {self.cka_samples}"
            )
        if not 0 < self.rescale < math.inf or self.rescale == 1:
            raise InputError(
                f"--rescale has to be a positive number other than 1, got {self.rescale}"
            )
        check_numbers(self)
