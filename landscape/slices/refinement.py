"""Adaptive refinement: measure some points of a surface and interpolate the rest with an error.

The loss of a trained network spans orders of magnitude over a plane, and its logarithm is smooth
except for the kinks of ReLUs. A coarse grid is measured, the logarithm is interpolated
(:mod:`landscape.slices.kriging`), and points are added where the error is largest. Each new point
first tests what was predicted for it: the ratios of true to predicted errors calibrate the claimed
errors. A cell of a coarse grid is finished when the claimed error of its points, root mean square,
is within the tolerance. Measured values may have an error of their own, because they were measured
in less precise arithmetic: it is a part of every claim.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.spatial import KDTree

from landscape.slices.kriging import Prediction, krige
from landscape.slices.order import nested_indices

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Points along a side of the grid that is measured first, and of the grid of cells that are judged.
COARSE, JUDGED = 13, 9
# The share of the measured points that is added before errors are predicted again.
BATCH_SHARE = 0.05
# Two points of a batch are at least this far apart, in units of their distance to a known point.
SPACING = 1.5
# When more than this share is measured, the rest is measured too: interpolation saves little.
ENOUGH = 0.6
# The factor on predicted errors before tests have calibrated it, and its least value.
START_FACTOR, LEAST_FACTOR = 1.0, 0.75
# How many tests a calibration needs, and how many allow the least factor.
TESTS_NEEDED, TESTS_TRUSTED = 20, 200
# The share of the tests that has to lie within one standard error.
ONE_SIGMA = 0.683
# The least and the largest value of a quantity that may be any number.
UNBOUNDED = (-math.inf, math.inf)


@dataclass(frozen=True)
class Filled:
    """A grid of which some values were measured and the rest is interpolated.

    Attributes:
        values: of shape (ny, nx).
        error: standard errors of the same shape; where a value was measured, those of measuring.
        relative: whether errors are relative to the values, because logarithms were interpolated.
    """

    values: Floats
    error: Floats
    relative: bool


@dataclass(frozen=True)
class _Claim:
    """What is predicted for every point, before some of them test it.

    Attributes:
        prediction: of the losses or of their logarithms, for the points row by row.
        scale: what the errors are relative to; 1 for logarithms.
        noise: the standard error of a measured value, in the units of the prediction.
        logarithmic: whether logarithms are predicted.
    """

    prediction: Prediction
    scale: float
    noise: float
    logarithmic: bool = True


class Refinement:
    """Decides which points of a grid to measure, from the values of those before.

    Args:
        rows: ny, the number of rows.
        columns: nx, the number of columns.
        tolerance: the root mean square of the errors that values may have, relative to the loss.
        noise: the standard error of measured losses, relative to them.

    Attributes:
        measured: which points have been measured, of shape (ny, nx).
        factor: the calibration, which multiplies predicted errors.

    Example:
        >>> refinement = Refinement(51, 51, 0.01)
        >>> cells = refinement.first()
        >>> while cells:
        ...     refinement.add({(row, column): 1.0 + 0.1 * row for row, column in cells})
        ...     cells = refinement.next()
        >>> int(refinement.measured.sum())
        169
    """

    def __init__(self, rows: int, columns: int, tolerance: float, noise: float = 0.0) -> None:
        self.tolerance = tolerance
        self.noise = noise
        self.measured: Mask = np.zeros((rows, columns), dtype=bool)
        self.factor = START_FACTOR
        self._values: Floats = np.full((rows, columns), np.nan)
        self._tests: list[float] = []
        self._claimed: _Claim | None = None
        # Which cell each point lies in.
        self._cells = _cell(rows)[:, None] * JUDGED + _cell(columns)[None, :]

    def first(self) -> list[tuple[int, int]]:
        """The points (row, column) of the coarse grid, which are measured first."""
        rows, columns = (nested_indices(n, COARSE)[0] for n in self.measured.shape)
        return [(int(row), int(column)) for row in rows for column in columns]

    def add(self, measured: dict[tuple[int, int], float]) -> None:
        """Take in the measured values of points (row, column)."""
        for (row, column), value in measured.items():
            self._test(row, column, value)
            self.measured[row, column] = True
            self._values[row, column] = value
        if len(self._tests) >= TESTS_NEEDED:
            quantile = float(np.quantile(self._tests, ONE_SIGMA))
            # Points are added where the claim is largest, so tests make the claim look too
            # large. While there are few of them they may not lower it by much.
            least = max(LEAST_FACTOR, START_FACTOR - len(self._tests) / TESTS_TRUSTED)
            self.factor = max(least, quantile)

    def next(self) -> list[tuple[int, int]]:
        """The points (row, column) to measure next; none when every cell meets the tolerance."""
        left = [(int(r), int(c)) for r, c in np.argwhere(~self.measured)]
        if self.measured.mean() > ENOUGH:
            return left
        self._claimed = self._predict()
        if self._claimed is None:  # hardly anything is finite
            return left
        claim = self._relative_errors(self._claimed)
        mean_square = np.bincount(self._cells.ravel(), (claim**2).ravel()) / np.maximum(
            np.bincount(self._cells.ravel()), 1
        )
        unfinished = ~self.measured & (mean_square[self._cells] > self.tolerance**2)
        # In an unfinished cell, a point that is within the tolerance itself would not help.
        return self._choose(np.where(unfinished & (claim > self.tolerance), claim, 0.0))

    def fill(
        self,
        values: Floats,
        *,
        logarithmic: bool,
        noise: float = 0.0,
        bounds: tuple[float, float] = UNBOUNDED,
    ) -> Filled:
        """Interpolate ``values`` of shape (ny, nx), which are known at the measured points.

        With ``logarithmic`` their logarithms are interpolated, if all of them are positive. The
        measured ones have the standard error ``noise``, which is relative then. Interpolated ones
        don't leave the ``bounds`` that the quantity has.
        """
        if self.measured.all():
            return Filled(values, np.full_like(values, noise), logarithmic)
        known = self.measured & np.isfinite(values)
        if not _span_a_plane(known):
            nothing = np.where(self.measured, values, np.nan)
            return Filled(nothing, np.where(self.measured, noise, np.nan), logarithmic)
        is_relative = logarithmic
        logarithmic = logarithmic and bool((values[known] > 0).all())
        if is_relative and not logarithmic:
            noise *= float(np.abs(values[known]).max())
        prediction = self._krige(known, np.log(values) if logarithmic else values, noise)
        estimate = np.exp(prediction.value) if logarithmic else prediction.value
        estimate = estimate.clip(*bounds).reshape(values.shape)
        filled = np.where(self.measured, values, estimate)
        error = np.where(self.measured, noise, self.factor * prediction.error.reshape(values.shape))
        return Filled(filled, error, logarithmic)

    def _predict(self) -> "_Claim | None":
        """Predict every point from the measured ones; None if too few of these are finite."""
        known = self.measured & np.isfinite(self._values)
        if not _span_a_plane(known):
            return None
        values = self._values[known]
        if (values > 0).all():
            return _Claim(self._krige(known, np.log(self._values), self.noise), 1.0, self.noise)
        largest = float(np.abs(values).max())
        # The differences of a constant surface are rounding, which is not an error.
        scale = max(float(np.ptp(values)), 1e-6 * largest, 1e-300)
        noise = self.noise * largest
        return _Claim(self._krige(known, self._values, noise), scale, noise, logarithmic=False)

    def _relative_errors(self, claim: "_Claim") -> Floats:
        """The claimed standard errors (ny, nx), infinite beside a loss that is not finite."""
        error = self.factor * claim.prediction.error.reshape(self.measured.shape) / claim.scale
        broken = self.measured & ~np.isfinite(self._values)
        if broken.any():
            beside = binary_dilation(broken, np.ones((3, 3), dtype=bool))
            error = np.where(self._nearest_is(broken) | beside, np.inf, error)
        return np.where(self.measured, claim.noise / claim.scale, error)

    def _test(self, row: int, column: int, value: float) -> None:
        """Compare a value with the prediction for it."""
        claim = self._claimed
        if claim is None or not np.isfinite(value):
            return
        if claim.logarithmic:
            if value <= 0:  # the logarithm could not predict it
                return
            value = float(np.log(value))
        place = row * self.measured.shape[1] + column
        predicted, error = claim.prediction.value[place], claim.prediction.error[place]
        if error > 0:
            # What exceeds the noise of the measured value is the error of the prediction.
            excess = max((value - predicted) ** 2 - claim.noise**2, 0.0)
            self._tests.append(math.sqrt(excess) / error)

    def _choose(self, claim: Floats) -> list[tuple[int, int]]:
        """The points (row, column) of largest claim that are not too close to each other."""
        points = self._points()
        nodes = points[self.measured.ravel()]
        most = max(4, int(BATCH_SHARE * len(nodes)))
        chosen: list[int] = []
        for place in np.argsort(-claim.ravel(), kind="stable"):
            if len(chosen) == most or claim.flat[place] == 0:
                break
            to_node = _nearest(points[place], nodes)
            if not chosen or _nearest(points[place], points[chosen]) >= SPACING * to_node:
                chosen.append(int(place))
        columns = self.measured.shape[1]
        return [(place // columns, place % columns) for place in chosen]

    def _krige(self, known: Mask, values: Floats, noise: float) -> Prediction:
        points = self._points()
        inside = known.ravel()
        return krige(points[inside], values.ravel()[inside], points, noise)

    def _points(self) -> Floats:
        """The points of the grid, of shape (ny * nx, 2), with both sides scaled to length 1."""
        sides = (np.linspace(0.0, 1.0, n) for n in self.measured.shape)
        return np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 2)

    def _nearest_is(self, broken: Mask) -> Mask:
        """Whether the measured point nearest to each point is one of ``broken``."""
        points = self._points()
        known = np.flatnonzero(self.measured.ravel())
        _, nearest = KDTree(points[known]).query(points)
        return broken.ravel()[known[nearest]].reshape(broken.shape)


def _span_a_plane(known: Mask) -> bool:
    """Whether there are enough known points, not on a line, for a trend and its errors."""
    rows, columns = np.nonzero(known)
    return len(set(rows)) >= 3 and len(set(columns)) >= 3 and len(rows) >= 6


def _cell(count: int) -> NDArray[np.int64]:
    """The cell along a side with ``count`` points in which each of them lies."""
    lines = nested_indices(count, JUDGED)[0]
    inside = np.searchsorted(lines, np.arange(count), side="right") - 1
    return np.minimum(inside, len(lines) - 2)


def _nearest(point: Floats, candidates: Floats) -> float:
    """The distance of ``point`` (2,) from the nearest of ``candidates`` (n, 2)."""
    return float(np.sqrt(((candidates - point) ** 2).sum(-1).min()))
