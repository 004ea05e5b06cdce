"""A quantity of a network over its runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analyses.drawing.numbers import with_error
from analyses.report.paper.quantities import quantity
from analyses.report.paper.quantity import LOWER_BOUND, Quantity
from analyses.report.paper.subjects import Network, Run


@dataclass(frozen=True)
class Measurement:
    """A quantity of one network, measured on each of its runs.

    Attributes:
        label: of the network.
        by_run: the quantity of each run; at least one.
    """

    label: str
    by_run: Mapping[Run, Quantity]

    @property
    def first(self) -> Quantity:
        """That of the first run, which says how it was measured."""
        return next(iter(self.by_run.values()))

    @property
    def values(self) -> list[float]:
        """The value of each run."""
        return [measured.value for measured in self.by_run.values()]

    @property
    def mean(self) -> float:
        """The mean over runs."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """The standard deviation over runs; nan for one."""
        with np.errstate(invalid="ignore"):  # infinite losses have no deviation
            return float(np.std(self.values, ddof=1)) if len(self.by_run) > 1 else math.nan

    @property
    def caveat(self) -> str:
        """Why it can't be compared; "" where it can."""
        return next((q.caveat for q in self.by_run.values() if q.caveat), "")

    @property
    def text(self) -> str:
        """Mean ± standard deviation over the runs, or the only run's value with its own error."""
        if len(self.by_run) == 1:
            return self.first.text
        sign = "> " if self.caveat == LOWER_BOUND else ""
        return f"{sign}{with_error(self.mean, self.deviation)} (n = {len(self.by_run)})"

    @property
    def methods(self) -> list[str]:
        """How it was measured and on what, each once."""
        return list(
            dict.fromkeys(
                f"{each.method}; {each.sample}" if each.sample else each.method
                for each in self.by_run.values()
            )
        )

    @property
    def conditions(self) -> list[str]:
        """On what it was measured and at which setting, each once."""
        conditions = (", ".join(filter(None, (q.setting, q.sample))) for q in self.by_run.values())
        return list(dict.fromkeys(filter(None, conditions)))


def measure_over_runs(network: Network, name: str) -> Measurement | None:
    """A quantity of a network by its name; None where it was measured on none of its runs.

    What does not depend on the training, such as a number at initialisation, is the first run's.
    """
    by_run = {}
    for run in network.runs:
        measured = quantity(run, name)
        if measured is not None:
            by_run[run] = measured
            if not measured.is_of_training:
                break
    return Measurement(network.label, by_run) if by_run else None
