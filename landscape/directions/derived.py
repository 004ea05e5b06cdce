"""Directions that come from the network or its checkpoints rather than from a random draw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.checkpoints.weights import Weights
from landscape.curvature.operators import CurvatureOperator
from landscape.directions.direction import Direction
from landscape.eigen.lanczos import lanczos
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective


def toward(objective: Objective, weights: Weights, *, states: bool = True) -> Direction:
    """The direction from the objective's own weights (at 0) to other weights (at 1), not scaled.

    Args:
        objective: at the origin.
        weights: of the same architecture.
        states: move BatchNorm's statistics along, so that 1 is the other network itself.

    Raises:
        InputError: both have the same weights.
    """
    vector = weights.theta.to(objective.theta) - objective.theta
    if not vector.any():
        raise InputError("the two checkpoints have the same weights; there is no line between them")
    moves = states and objective.statistics.numel() > 0
    statistics = weights.statistics.to(objective.statistics) - objective.statistics
    return Direction(vector, objective.layout, statistics if moves else None)


def gradient_direction(objective: Objective, norm: float) -> Direction:
    """The direction of steepest ascent of the loss, scaled to ``norm``.

    Raises:
        NotMeasurableError: the gradient is 0 or not finite.
    """
    gradient = objective.gradient()
    length = torch.linalg.vector_norm(gradient.double())
    if not 0 < length.item() < float("inf"):
        raise NotMeasurableError(f"the gradient has norm {length.item():g}: it has no direction")
    return Direction((gradient.double() * (norm / length)).to(gradient), objective.layout)


def eigenvector_directions(
    objective: Objective, count: int, norm: float, generator: torch.Generator
) -> list[Direction]:
    """The Hessian's eigenvectors of largest magnitude, each scaled to ``norm``.

    Raises:
        NotMeasurableError: they did not converge to the tolerance of the solver.
    """
    pairs = lanczos(CurvatureOperator(objective), count, generator)
    if not pairs.converged.all():
        raise NotMeasurableError(
            "the Hessian's top eigenvectors did not converge (relative residuals "
            f"{', '.join(f'{r:.1e}' for r in pairs.residuals.tolist())})"
        )
    return [Direction(pairs.vectors[:, k] * norm, objective.layout) for k in range(count)]


@dataclass(frozen=True)
class PrincipalPlane:
    """The plane through theta in which a trajectory varies most.

    Attributes:
        x: the first principal component, a unit vector.
        y: the second.
        shares: the share of the variance that each component explains, largest first; the sum is 1.
    """

    x: Direction
    y: Direction
    shares: NDArray[np.float64]


def principal_plane(objective: Objective, path: Sequence[Tensor]) -> PrincipalPlane:
    """The first two principal components of the weights along a training run, as unit vectors.

    As in Li et al. (2018, section 7): the plane passes through the objective's own weights, and
    the components are those of theta_k - theta about their mean. They are computed from the Gram
    matrix of the n points, of shape (n, n), so nothing larger than the path itself is held.

    Args:
        objective: at the end of the path.
        path: the weights theta_k, each of shape (P,).

    Returns:
        The plane, with signs such that the path starts at positive coordinates.

    Raises:
        InputError: there are fewer than three points, or they do not span a plane.
    """
    if len(path) < 3:
        raise InputError(f"a plane needs at least 3 saved epochs, got {len(path)}")
    offsets = torch.stack([(theta.to(objective.theta) - objective.theta) for theta in path])
    centred = offsets.double() - offsets.double().mean(0)
    gram = (centred @ centred.T).cpu().numpy()
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1].clip(min=0.0), vectors[:, ::-1]
    # The second component of a straight path is the rounding of the weights.
    rounding = torch.finfo(objective.dtype).eps * float(torch.linalg.vector_norm(objective.theta))
    if not values[1] > max(1e-12 * values[0], len(path) * rounding**2):
        raise InputError("the saved epochs lie on a line; they span no plane")
    directions = []
    for k in range(2):
        coefficients = torch.from_numpy(vectors[:, k].copy()).to(centred)
        vector = centred.T @ coefficients / float(np.sqrt(values[k]))
        if vector @ offsets[0].double() < 0:
            vector = -vector
        directions.append(Direction(vector.to(objective.theta), objective.layout))
    x, y = directions
    return PrincipalPlane(x, y, values / values.sum())


@dataclass(frozen=True)
class Projection:
    """The coordinates of points projected onto a plane, and their distances from it (2-norm)."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    distance: NDArray[np.float64]


def project(objective: Objective, path: Sequence[Tensor], x: Direction, y: Direction) -> Projection:
    """Project points orthogonally onto theta + a x + b y, with x, y of any length and angle."""
    basis = torch.stack([x.vector.double(), y.vector.double()])
    gram = basis @ basis.T
    coordinates, distances = [], []
    for theta in path:
        offset = (theta.to(objective.theta) - objective.theta).double()
        coefficients = torch.linalg.solve(gram, basis @ offset)
        coordinates.append(coefficients.tolist())
        distances.append(torch.linalg.vector_norm(offset - coefficients @ basis).item())
    table = np.array(coordinates).reshape(-1, 2)
    return Projection(table[:, 0], table[:, 1], np.array(distances))
