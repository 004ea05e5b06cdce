"""The settings of sparsity: thresholds above which a neuron counts as active."""

from __future__ import annotations

import math
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_numbers, option


@dataclass(frozen=True)
class Settings:
    """Which neurons count as active, besides those with values above 0."""

    thresholds: tuple[float, ...] = option(
        (0.1,),
        "also count neurons whose magnitude is above T times the root mean square of their layer: "
        "GELU leaves hardly any value at 0",
        parse=float,
        nargs="+",
        metavar="T",
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for a threshold that is not a positive number."""
        if not all(0 < threshold < math.inf for threshold in self.thresholds):
            raise InputError(
                f"--thresholds takes positive numbers, got {' '.join(map(str, self.thresholds))}"
            )
        check_numbers(self)
