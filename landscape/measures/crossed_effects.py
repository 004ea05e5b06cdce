"""The error of a mean over samples and over draws of noise that all samples share.

The loss l[d, i] of sample i under draw d is one number of a table of D rows and N columns. In the
model of two crossed random effects, l = mean + a_i + b_d + c_di, its mean varies by

    Var = s_a^2 / N + s_b^2 / D + s_c^2 / (N D) = E (M_a + M_b - M_c) / (N D),

with the mean squares M_a of samples, M_b of draws and M_c of the rest, each of which holds s_c^2
(Searle, Casella and McCulloch, "Variance Components", 1992, chapter 4). The mean over samples alone
(draws alone) varies by M_a / (N D) (by M_b / (N D)).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.estimates import Estimate, combined_dof


@dataclass(frozen=True)
class CrossedEstimate:
    """A mean over samples and draws with its errors.

    Attributes:
        total: the mean with both errors together: how far it may be from the mean over all samples
            of the data's kind and over all draws.
        sampling_error: the standard error over samples, of these draws.
        noise_error: the standard error over draws, of these samples.
    """

    total: Estimate
    sampling_error: float
    noise_error: float


class CrossedMean:
    """Collects the table row by row, in the memory of two rows.

    Example:
        >>> mean = CrossedMean()
        >>> for row in ([1.0, 3.0, 2.0], [5.0, 7.0, 9.0]):
        ...     mean.add(row)
        >>> mean.estimate().total.value
        4.5
    """

    def __init__(self) -> None:
        self._rows: list[float] = []  # their means
        self._columns: NDArray[np.float64] = np.zeros(0)  # their means so far
        self._within = 0.0  # the squared deviations from the mean of their column

    def add(self, row: ArrayLike) -> None:
        """Add the numbers of one draw, of shape (N,).

        All draws have the same N samples and finite numbers; otherwise there is no error.
        """
        values = np.asarray(row, dtype=np.float64)
        if not self._rows:
            self._columns = np.zeros(values.shape)
        self._rows.append(float(values.mean()))
        if values.shape != self._columns.shape or not np.isfinite(values).all():
            self._within = math.nan
            return
        # Welford's updates, since squares of the numbers themselves would cancel.
        deviations = values - self._columns
        self._columns = self._columns + deviations / len(self._rows)
        self._within += float(deviations @ (values - self._columns))

    def estimate(self) -> CrossedEstimate:
        """The mean of all rows so far with its errors; nan where a single one has none.

        A component of variance that comes out negative counts as 0. The degrees of freedom are
        those of Satterthwaite (1946) for the three mean squares.
        """
        draws, samples = len(self._rows), len(self._columns)
        if not math.isfinite(self._within):
            mean = sum(self._rows) / draws
            return CrossedEstimate(Estimate(mean, math.nan, 0.0), math.nan, math.nan)
        over_draws, over_samples = Estimate.of(self._rows), Estimate.of(self._columns)
        if draws < 2 or samples < 2:
            unknown = Estimate(over_draws.value, math.nan, 0.0)
            return CrossedEstimate(unknown, over_samples.stderr, over_draws.stderr)
        both = draws * samples
        rows, columns = both * over_draws.stderr**2, both * over_samples.stderr**2
        free = (draws - 1) * (samples - 1)
        rest = max(self._within - (draws - 1) * rows, 0.0) / free
        # A component that is 0 leaves the mean square of the rest, which then cancels.
        terms = [(rows, draws - 1), (columns, samples - 1)]
        terms = [(square, dof) for square, dof in terms if square > rest] or [(rest, free)]
        if len(terms) == 2:
            terms.append((-rest, free))
        squares = [square for square, _ in terms]
        stderr = math.sqrt(sum(squares) / both)
        estimate = Estimate(
            over_draws.value, stderr, combined_dof(squares, [float(dof) for _, dof in terms])
        )
        return CrossedEstimate(estimate, over_samples.stderr, over_draws.stderr)
