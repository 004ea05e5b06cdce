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
    """From the objective's own weights (at 0) to others (at 1), nothing scaled.

    With ``states`` BatchNorm's statistics go along, so that 1 is the other network itself.
    """
    vector = weights.theta.to(objective.theta) - objective.theta
    if not vector.any():
        raise InputError("the two checkpoints have the same weights; there is no line between them")
    moves = states and objective.statistics.numel() > 0
    statistics = weights.statistics.to(objective.statistics) - objective.statistics
    return Direction(vector, objective.layout, statistics if moves else None)


def gradient_direction(objective: Objective, norm: float) -> Direction:
    """The direction of steepest ascent of the loss, scaled to ``norm``."""
    gradient = objective.gradient()
    length = torch.linalg.vector_norm(gradient.double())
    if not 0 < length.item() < float("inf"):
        raise NotMeasurableError(f"the gradient has norm {length.item():g}: it has no direction")
    return Direction((gradient.double() * (norm / length)).to(gradient), objective.layout)


def eigenvector_directions(
    objective: Objective, count: int, norm: float, generator: torch.Generator
) -> list[Direction]:
    """The Hessian's eigenvectors of largest magnitude, each scaled to ``norm``.

    Raises NotMeasurableError if they can't be had to the tolerance of the solver.
    """
    found = lanczos(CurvatureOperator(objective), count, generator)
    if not found.converged.all():
        raise NotMeasurableError(
            "the Hessian's top eigenvectors did not converge (relative residuals "
            f"{', '.join(f'{r:.1e}' for r in found.residuals.tolist())})"
        )
    return [Direction(found.vectors[:, k] * norm, objective.layout) for k in range(count)]


@dataclass(frozen=True)
class PrincipalPlane:
    """The plane through theta that a trajectory varies in most.

    ``shares`` is the explained variance of every component, largest first; they sum to 1.
    """

    x: Direction
    y: Direction
    shares: NDArray[np.float64]


def principal_plane(objective: Objective, path: Sequence[Tensor]) -> PrincipalPlane:
    """The first two principal components of the weights along a training run, as unit vectors.

    As in Li et al. (2018, section 7): the plane passes through the objective's own weights, and
    the components are those of theta_k - theta about their mean. Taken from the Gram matrix of
    the n points, of shape (n, n), so nothing larger than the path itself is held.
    Signs are such that the path starts at positive coordinates. Raises InputError for fewer than
    three points, or for a path that does not span a plane.
    """
    if len(path) < 3:
        raise InputError(f"a plane needs at least 3 saved epochs, got {len(path)}")
    offsets = torch.stack([(theta.to(objective.theta) - objective.theta) for theta in path])
    centred = offsets.double() - offsets.double().mean(0)
    gram = (centred @ centred.T).cpu().numpy()
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1].clip(min=0.0), vectors[:, ::-1]
    # What a straight path leaves of its second component is the rounding of the weights.
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
    """Coordinates of points on a plane, and how far off it they lie (2-norm)."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    distance: NDArray[np.float64]


def project(objective: Objective, path: Sequence[Tensor], x: Direction, y: Direction) -> Projection:
    """Orthogonal projection onto theta + a x + b y, for directions of any length and angle."""
    basis = torch.stack([x.vector.double(), y.vector.double()])
    gram = basis @ basis.T
    coordinates, distances = [], []
    for theta in path:
        offset = (theta.to(objective.theta) - objective.theta).double()
        solved = torch.linalg.solve(gram, basis @ offset)
        coordinates.append(solved.tolist())
        distances.append(torch.linalg.vector_norm(offset - solved @ basis).item())
    found = np.array(coordinates).reshape(-1, 2)
    return Projection(found[:, 0], found[:, 1], np.array(distances))
