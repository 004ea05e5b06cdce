"""Interpolation of scattered values on a plane, with an error for every point.

Cubic radial basis functions with a linear trend, f(p) = sum_k c_k |p - p_k|^3 + linear: kriging
with the generalised covariance r^3 (Wackernagel, Multivariate Geostatistics, 3rd ed., chapter 39).
The kriging variance says how the error grows away from the nodes, and each node's prediction from
all the others (leave-one-out, in closed form: Rippa, 1999) says how rough the values are around it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The roughness of the values at a point is estimated from so many nodes around it.
NEIGHBOURS = 16
# Roughness and nugget depend on each other; their ratio is found in so many rounds.
NUGGET_ROUNDS = 3
# The least roughness of a node, relative to the mean: where it is less, noise is all there is.
LEAST_ROUGHNESS = 1e-3
# Points are predicted in parts with about so many distances from nodes, each of 8 bytes.
DISTANCES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Prediction:
    """Predicted values and their standard errors, both of shape (n,)."""

    value: Floats
    error: Floats


def krige(nodes: Floats, values: Floats, points: Floats, noise: float = 0.0) -> Prediction:
    """Predict values at points of the plane.

    Args:
        nodes: at least four distinct points that do not all lie on a line, of shape (m, 2).
        values: what is known there, of shape (m,).
        points: where to predict, of shape (n, 2).
        noise: the standard error of every value.

    Returns:
        The prediction, whose errors are those of the values without noise.
    """
    system = _System(nodes, values)
    if noise > 0:
        for _ in range(NUGGET_ROUNDS):
            variance = _local_deviation(nodes, system.standardised, nodes) ** 2
            floor = LEAST_ROUGHNESS * max(float(variance.mean()), np.finfo(float).tiny)
            system = _System(nodes, values, noise**2 / variance.clip(min=floor))
    predicted, errors = [], []
    size = max(1, DISTANCES_AT_ONCE // len(nodes))
    for start in range(0, len(points), size):
        chunk = points[start : start + size]
        value, deviation = system.predict(chunk)
        predicted.append(value)
        errors.append(_local_deviation(nodes, system.standardised, chunk) * deviation)
    return Prediction(np.concatenate(predicted), np.concatenate(errors))


class _System:
    """The equations of kriging, solved.

    Attributes:
        standardised: the leave-one-out residual of every node in units of its kriging deviation,
            of shape (m,).
    """

    def __init__(self, nodes: Floats, values: Floats, nugget: Floats | None = None) -> None:
        count = len(nodes)
        trend = _trend(nodes)
        size = count + trend.shape[1]
        system = np.zeros((size, size))
        system[:count, :count] = _distances(nodes, nodes) ** 3
        if nugget is not None:
            system[np.arange(count), np.arange(count)] += nugget
        system[:count, count:] = trend
        system[count:, :count] = trend.T
        self._nodes = nodes
        self._inverse = np.linalg.inv(system)
        self._coefficients = self._inverse[:, :count] @ values
        # The leave-one-out residual of a node is c / B, its kriging deviation 1 / sqrt(|B|).
        diagonal = np.abs(np.diag(self._inverse)[:count])
        self.standardised: Floats = self._coefficients[:count] / np.sqrt(diagonal)

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Values and kriging deviations at points, both of shape (n,)."""
        rows = np.hstack([_distances(points, self._nodes) ** 3, _trend(points)])
        # r^3 is conditionally positive definite: the variance is -rows inverse rows'.
        variance = -np.einsum("ij,ij->i", rows @ self._inverse, rows)
        return rows @ self._coefficients, np.sqrt(variance.clip(min=0.0))


def _trend(points: Floats) -> Floats:
    return np.column_stack([np.ones(len(points)), points])


def _distances(a: Floats, b: Floats) -> Floats:
    squares = (a[:, 0, None] - b[None, :, 0]) ** 2
    squares += (a[:, 1, None] - b[None, :, 1]) ** 2
    return np.sqrt(squares, out=squares)


def _local_deviation(nodes: Floats, residuals: Floats, points: Floats) -> Floats:
    """The root mean square of the nearest nodes' residuals, nearer ones weighted more."""
    squares = _distances(points, nodes) ** 2
    nearest = np.argpartition(squares, min(NEIGHBOURS, len(nodes)) - 1, axis=1)[:, :NEIGHBOURS]
    distances = np.take_along_axis(squares, nearest, axis=1)
    weights = np.exp(-distances / distances.mean(axis=1, keepdims=True))
    return np.sqrt((weights * residuals[nearest] ** 2).sum(1) / weights.sum(1))
