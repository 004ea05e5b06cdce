"""The way a training run went, on the plane that it varied in most, with the loss on that plane.

Li et al. (2018), section 7. The plane cuts the path only at its last point: everywhere else the
path runs at some distance from the plane, and its loss is not the loss of the contours below it.
Both losses and the distance are measured, so that nobody takes one for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.grid import Axis, Grid
from analyses.slice_result import Slice
from analyses.slice_settings import SliceSettings, make_directions
from analyses.slicing import measure_slice
from landscape.checkpoints.run import RunDirectory, run_of
from landscape.checkpoints.weights import read_weights
from landscape.derived_directions import Projection, Weights, principal_plane, project
from landscape.directions import Direction
from landscape.errors import InputError, NotMeasurableError
from landscape.objective import Objective
from landscape.options import option
from landscape.slices.evaluator import PointEvaluator
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look


TITLE = "Training trajectory"
SUMMARY = "the path of a run's saved epochs on their principal plane, over the loss there"
READING = {
    "": (
        "The path that training took, seen on the plane that it varied in most; the axes say "
        "how much of the path's variance each explains. The contours are the loss on the plane, "
        "which the path meets only at its end: the right panel compares the loss of the saved "
        "networks with that of their projections, and says how far off the plane they are. A "
        "random walk in many dimensions also looks like a smooth curve on its principal plane, "
        "so its shape proves little."
    )
}
# How much further than the path the plane is drawn, on each side.
MARGIN = 0.2


@dataclass(frozen=True)
class Settings(SliceSettings):
    """The saved epochs and the plane."""

    epochs: str = option(
        "",
        "files of the saved epochs, such as 'run/model_*.t7', in the order of their numbers; "
        "without it those that landscape-train --save-every kept",
        metavar="PATTERN",
    )
    directions: str = option(
        "pca",
        "pca (the first two principal components), or as for surface",
        metavar="KIND|FILE.h5",
    )
    x: Axis | None = option(
        None, "coordinates along x (default: the path and a margin)", parse=Axis.parse,
        metavar="MIN:MAX:N",
    )  # fmt: skip
    y: Axis | None = option(
        None, "coordinates along y, likewise", parse=Axis.parse, metavar="MIN:MAX:N"
    )
    points: int = option(25, "points a side where no coordinates are given", metavar="N")

    def __post_init__(self) -> None:
        """Raise InputError for settings that contradict each other."""
        super().__post_init__()
        if self.points < 2:
            raise InputError(f"--points has to be at least 2, got {self.points}")
        if self.directions == "pca" and (self.toward_x or self.toward_y or self.orthogonalize):
            raise InputError(
                "--toward-x, --toward-y and --orthogonalize need other --directions than pca"
            )

    @property
    def kinds(self) -> tuple[str, str] | None:
        """The principal plane needs no other kind."""
        return ("pca", "pca") if self.directions == "pca" else super().kinds


@dataclass(frozen=True)
class Trajectory(Slice):
    """Values on the plane of shape (ny, nx), and the path.

    ``path`` holds, of shape (epochs,): ``epoch``, ``x``, ``y``, ``distance`` from the plane
    (2-norm in weight space), ``loss`` of the saved network and ``plane_loss`` of its projection;
    and ``explained``, the share of the variance that each component explains.
    """

    analysis: ClassVar[str] = "trajectory"
    settings_type: ClassVar[type[Any]] = Settings

    def headline(self) -> dict[str, Any]:
        """The slice's numbers and what the path says."""
        distance = self.path["distance"]
        return {
            **super().headline(),
            "epochs": self.path["epoch"],
            "explained_variance": self.path["explained"],
            "largest_distance": distance.max(),
            "path_loss": self.path["loss"],
            "plane_loss": self.path["plane_loss"],
        }


def compute(
    objective: Objective,
    settings: Settings | None = None,
    work: Work = IN_MEMORY,
) -> Trajectory:
    """The plane of the objective's run, through the objective's own weights.

    The saved epochs are those of the run that the objective's checkpoint belongs to, or of
    ``settings.epochs``. Raises NotMeasurableError if there are none.
    """
    settings = settings or Settings()
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
    found = measure_slice(Trajectory, objective, settings, grid, work, directions, path)
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


def tabulate(results: Sequence[Trajectory]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each run."""
    from analyses.style import number

    return {
        "": [
            {
                "checkpoint": result.label,
                "epochs": str(len(result.path["epoch"])),
                "variance explained by x and y, %": " and ".join(
                    f"{100 * share:.1f}" for share in result.path["explained"][:2]
                ),
                "largest distance from the plane": number(float(result.path["distance"].max())),
                "largest |path loss - plane loss|": number(
                    float(np.abs(result.path["loss"] - result.path["plane_loss"]).max())
                ),
            }
            for result in results
        ]
    }


def draw(results: Sequence[Slice], look: Look | None = None) -> dict[str, Figure]:
    """The path over the contours, and the losses of path and plane by epoch."""
    from analyses.trajectory_figures import paths

    return {"trajectory": paths(results, look)}
