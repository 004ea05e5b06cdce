"""The way a training run went, on the plane that it varied in most, with the loss on that plane.

Li et al. (2018), section 7. The plane cuts the path only at its last point: everywhere else the
path runs at some distance from the plane, and its loss is not the loss of the contours below it.
Both losses and the distance are measured, so that nobody takes one for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.run_context import RunContext
from analyses.slices.directions import make_directions
from analyses.slices.grid import Axis, Grid
from analyses.slices.measure import measure_slice
from analyses.trajectory.result import Trajectory
from analyses.trajectory.settings import Settings
from landscape.checkpoints.run import RunDirectory, run_of
from landscape.checkpoints.weights import Weights, read_weights
from landscape.directions.derived import Projection, principal_plane, project
from landscape.directions.direction import Direction
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.slices.evaluator import PointEvaluator

# How much further than the path the plane is drawn, on each side.
MARGIN = 0.2


def measure(
    objective: Objective,
    settings: Settings,
    context: RunContext,
) -> Trajectory:
    """The plane of the objective's run, through the objective's own weights.

    The saved epochs are those of the run that the objective's checkpoint belongs to, or of
    ``settings.epochs``. Raises NotMeasurableError if there are none.
    """
    saved = _saved_epochs(objective, settings)
    weights = [read_weights(path, objective) for _, path in saved]
    thetas = [one.theta for one in weights]
    directions, explained = _plane(objective, settings, thetas)
    projection = project(objective, thetas, *directions)
    reach_x = settings.x or _reach(projection.x, settings.points)
    reach_y = settings.y or _reach(projection.y, settings.points)
    path = {
        "epoch": np.array([number for number, _ in saved]),
        "x": projection.x,
        "y": projection.y,
        "distance": projection.distance,
        "explained": explained,
        **_losses(objective, settings, weights, directions, projection),
    }
    grid = Grid(reach_x.coordinates, reach_y.coordinates)
    found = measure_slice(Trajectory, objective, settings, grid, context, directions, path)
    assert isinstance(found, Trajectory)
    return replace(found, path=path)


def _saved_epochs(objective: Objective, settings: Settings) -> list[tuple[int, Path]]:
    if settings.epochs:
        pattern = Path(settings.epochs)
        found = sorted(pattern.parent.glob(pattern.name), key=_number)
        if len(found) < 3:
            raise InputError(
                f"--epochs {settings.epochs!r} matches {len(found)} files; a plane needs 3"
            )
        return [(_number(path)[0], path) for path in found]
    checkpoint = objective.origin.get("checkpoint")
    run = run_of(Path(checkpoint)) if checkpoint else None
    found_epochs = run.epochs() if isinstance(run, RunDirectory) else []
    if len(found_epochs) < 3:
        raise NotMeasurableError(
            f"{checkpoint or 'the model'} has {len(found_epochs)} saved epochs, a plane needs 3: "
            "train with --save-every 1, or name files with --epochs"
        )
    return found_epochs


def _number(path: Path) -> tuple[int, str]:
    """The last number in a file's name, by which epochs are ordered."""
    digits = "".join(c if c.isdigit() else " " for c in path.stem).split()
    return (int(digits[-1]) if digits else 0), path.name


def _plane(
    objective: Objective, settings: Settings, thetas: Sequence[torch.Tensor]
) -> tuple[list[Direction], NDArray[np.float64]]:
    plane = principal_plane(objective, thetas)
    if settings.directions == "pca":
        return [plane.x, plane.y], plane.shares
    return make_directions(objective, settings, 2), plane.shares


def _reach(coordinates: NDArray[np.float64], points: int) -> Axis:
    """The path and the network itself (at 0), with a margin."""
    low, high = min(coordinates.min(), 0.0), max(coordinates.max(), 0.0)
    margin = MARGIN * max(high - low, 1e-12)
    return Axis(float(low - margin), float(high + margin), points)


def _losses(
    objective: Objective,
    settings: Settings,
    weights: Sequence[Weights],
    directions: Sequence[Direction],
    projection: Projection,
) -> dict[str, NDArray[np.float64]]:
    """The loss of each saved network, and that of its projection on the plane."""
    own = []
    for one in weights:
        try:
            objective.live_weights.copy_(one.theta)
            objective.live_statistics.copy_(one.statistics)
            own.append(objective.loss())
        finally:
            objective.restore()
    evaluator = PointEvaluator(objective, directions, "path", bn=settings.bn)
    try:
        places = zip(projection.x, projection.y, strict=True)
        below = [float(evaluator((float(x), float(y)))[0]) for x, y in places]
    finally:
        evaluator.close()
    return {"loss": np.array(own), "plane_loss": np.array(below)}
