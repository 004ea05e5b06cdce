"""Means with their standard errors."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """A mean over random vectors with its standard error, nan for a single one."""

    value: float
    stderr: float

    @classmethod
    def of(cls, samples: NDArray[np.float64], offset: float = 0.0) -> "Estimate":
        """The mean of independent samples, plus a number without error."""
        spread = samples.std(ddof=1) if len(samples) > 1 else math.nan
        return cls(float(samples.mean()) + offset, float(spread / math.sqrt(len(samples))))
