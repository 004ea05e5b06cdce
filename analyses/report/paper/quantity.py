"""A number of a result with its error, its method and its sample, as tables and claims use it."""

import math
from dataclasses import dataclass
from typing import Any

from analyses.drawing.numbers import number, with_error
from analyses.report.paper.shared_samples import PerSample
from landscape.results.result import Result

# What keeps a number from being compared.
LOWER_BOUND = "a lower bound decides nothing"
# What is said of every largest eigenvalue.
BIASED = "biased upwards on a subsample"


@dataclass(frozen=True)
class Quantity:
    """A number with its ``error``: 0 where it is exact for its sample, nan where none is known.

    ``dof`` are the degrees of freedom of the error, nan where they are not known.
    ``is_of_training`` is False for what does not depend on the training. ``printed`` is its text
    where that is not value ± error, as of shares near 0 and 100 % and of few degrees of freedom.
    ``per_sample`` is what every sample has of it, where the result keeps that.
    ``setting`` is what the value depends on, such as the size of noise, where a short table says
    so. ``method`` says how it was measured and what the error is; ``sample`` on what. ``source`` is
    the analysis that it is from. ``caveat`` says why it can't be compared, where it can't.
    """

    value: float
    error: float
    method: str
    sample: str
    source: str
    caveat: str = ""
    dof: float = math.nan
    is_of_training: bool = True
    printed: str = ""
    per_sample: PerSample | None = None
    setting: str = ""

    @property
    def text(self) -> str:
        """As it is printed."""
        sign = "> " if self.caveat == LOWER_BOUND else ""
        if self.printed:
            return f"{sign}{self.printed}"
        if self.error == 0:
            whole = float(self.value).is_integer()
            return f"{sign}{self.value:,.0f}" if whole else f"{sign}{number(self.value, 4)}"
        return f"{sign}{with_error(self.value, self.error)}"


def of_result(result: Result, value: float, error: float, method: str, **fields: Any) -> Quantity:
    """A quantity of a result, which says what its sample is."""
    made = result.provenance
    split = made.origin.get("split", "")
    sample = f"{made.num_samples:,} {split} samples" if split else f"{made.num_samples:,} samples"
    return Quantity(float(value), float(error), method, sample, result.analysis, **fields)
