"""The path of a training run on its principal plane, and the loss on that plane.

Li et al. (2018), section 7. The plane meets the path only at its last point. Everywhere else the
path runs at some distance from the plane, and its loss is not that of the contours below it. Both
losses and the distance are measured, so that they are not confused.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.run_context import RunContext
from analyses.saved_epochs import find_saved_epochs
from analyses.slices.directions import make_directions
from analyses.slices.grid import Axis, Grid
from analyses.slices.measure import measure_slice
from analyses.trajectory.result import Trajectory
from analyses.trajectory.settings import Settings
from landscape.checkpoints.epochs import SavedEpoch
from landscape.checkpoints.weights import Weights, read_weights
from landscape.directions.derived import Projection, principal_plane, project
from landscape.directions.direction import Direction
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.slices.evaluator import PointEvaluator

Floats = NDArray[np.float64]

# The plane extends beyond the path by this share of its length on each side.
MARGIN = 0.2


def measure(objective: Objective, settings: Settings, context: RunContext) -> Trajectory:
    """Project the saved epochs on a plane through the objective's weights, and evaluate both.

    Args:
        objective: the loss; its weights are at (0, 0).
        settings: the saved epochs (by default those of the run that the objective's checkpoint
            belongs to), the plane and the grid.
        context: the ranks that share the work, where finished points are kept, and the watcher.

    Returns:
        The trajectory, the same in every rank.

    Raises:
        NotMeasurableError: if the run has fewer than 3 saved epochs.
        InputError: if ``settings.epochs`` matches fewer than 3 files or their names give no order,
            if a file does not fit the model, or if the epochs span no plane.
    """
    epochs = _saved_epochs(objective, settings)
    weights = [read_weights(epoch.path, objective) for epoch in epochs]
    thetas = [each.theta for each in weights]
    directions, explained = _plane(objective, settings, thetas)
    projection = project(objective, thetas, *directions)
    x = settings.x or _cover(projection.x, settings.points)
    y = settings.y or _cover(projection.y, settings.points)
    path = {
        "epoch": np.array([epoch.number for epoch in epochs]),
        "x": projection.x,
        "y": projection.y,
        "distance": projection.distance,
        "explained": explained,
        **_losses(objective, settings, weights, directions, projection),
    }
    grid = Grid.of(x, y, repeats=settings.repeats)
    given = None if settings.is_random else directions  # random ones can be drawn again
    result = measure_slice(Trajectory, objective, settings, grid, context, given, path)
    return replace(result, path=path)


def _saved_epochs(objective: Objective, settings: Settings) -> tuple[SavedEpoch, ...]:
    """The saved epochs, in order."""
    saved = find_saved_epochs(objective, settings).members
    name = objective.origin.get("checkpoint") or "the model"
    if settings.epochs and len(saved) < 3:
        words = " ".join(map(repr, settings.epochs))
        raise InputError(f"--epochs {words} matches {len(saved)} files; a plane needs 3")
    if len(saved) < 3:
        raise NotMeasurableError(
            f"{name} has {len(saved)} saved epochs, a plane needs 3: "
            "train with --save-every 1, or name files with --epochs"
        )
    return saved


def _plane(
    objective: Objective, settings: Settings, thetas: Sequence[torch.Tensor]
) -> tuple[list[Direction], Floats]:
    """The directions of the plane, and the variance that each principal component explains."""
    plane = principal_plane(objective, thetas)
    if settings.directions == "pca":
        return [plane.x, plane.y], plane.shares
    return make_directions(objective, settings, 2), plane.shares


def _cover(coordinates: Floats, points: int) -> Axis:
    """An axis that covers the path and the network itself (at 0), with a margin."""
    low, high = min(coordinates.min(), 0.0), max(coordinates.max(), 0.0)
    margin = MARGIN * max(high - low, 1e-12)
    return Axis(float(low - margin), float(high + margin), points)


def _losses(
    objective: Objective,
    settings: Settings,
    weights: Sequence[Weights],
    directions: Sequence[Direction],
    projection: Projection,
) -> dict[str, Floats]:
    """The loss of each saved network, and that of its projection on the plane."""
    losses = []
    for each in weights:
        try:
            objective.live_weights.copy_(each.theta)
            objective.live_statistics.copy_(each.statistics)
            losses.append(objective.loss())
        finally:
            objective.restore()
    evaluator = PointEvaluator(objective, directions, "path", bn=settings.bn)
    try:
        places = zip(projection.x, projection.y, strict=True)
        plane_losses = [float(evaluator((float(x), float(y)))[0]) for x, y in places]
    finally:
        evaluator.close()
    return {"loss": np.array(losses), "plane_loss": np.array(plane_losses)}
