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


@dataclass(frozen=True)
class Prediction:
    """Predicted values and their standard errors, both of shape (n,)."""

    value: Floats
    error: Floats


def krige(nodes: Floats, values: Floats, points: Floats) -> Prediction:
    """Predict values at points of the plane.

    Args:
        nodes: at least four distinct points that do not all lie on a line, of shape (m, 2).
        values: what is known there, of shape (m,).
        points: where to predict, of shape (n, 2).
    """
    count = len(nodes)
    trend = _trend(nodes)
    size = count + trend.shape[1]
    system = np.zeros((size, size))
    system[:count, :count] = _distances(nodes, nodes) ** 3
    system[:count, count:] = trend
    system[count:, :count] = trend.T
    inverse = np.linalg.inv(system)
    coefficients = inverse[:, :count] @ values
    rows = np.hstack([_distances(points, nodes) ** 3, _trend(points)])
    # r^3 is conditionally positive definite: the variance is -rows inverse rows'.
    variance = -np.einsum("ij,ij->i", rows @ inverse, rows)
    # The leave-one-out residual of a node is c / B, its kriging deviation 1 / sqrt(|B|).
    diagonal = np.abs(np.diag(inverse)[:count])
    standardised = coefficients[:count] / np.sqrt(diagonal)
    roughness = _local_deviation(nodes, standardised, points)
    return Prediction(rows @ coefficients, roughness * np.sqrt(variance.clip(min=0.0)))


def _trend(points: Floats) -> Floats:
    return np.column_stack([np.ones(len(points)), points])


def _distances(a: Floats, b: Floats) -> Floats:
    return np.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(-1))


def _local_deviation(nodes: Floats, residuals: Floats, points: Floats) -> Floats:
    """The root mean square of the nearest nodes' residuals, nearer ones weighted more."""
    squares = _distances(points, nodes) ** 2
    nearest = np.argpartition(squares, min(NEIGHBOURS, len(nodes)) - 1, axis=1)[:, :NEIGHBOURS]
    distances = np.take_along_axis(squares, nearest, axis=1)
    weights = np.exp(-distances / distances.mean(axis=1, keepdims=True))
    return np.sqrt((weights * residuals[nearest] ** 2).sum(1) / weights.sum(1))
