"""The loss on a plane through the weights: L(theta + a dx + b dy).

Li, Xu, Taylor, Studer and Goldstein, "Visualizing the Loss Landscape of Neural Nets", NeurIPS
2018. The file's array names and orientation are those of the authors' own tool, with shape
(ny, nx), so that its plotters read it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.grid import Axis, DirectionSettings, make_directions, stored_split
from landscape.data.catalog import canonical_split
from landscape.directions import cosine
from landscape.objective import Objective
from landscape.options import option
from landscape.progress import track
from landscape.provenance import Provenance
from landscape.results import Array, Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Loss surface"
SUMMARY = "the loss on a plane through the weights, along two random directions"
READING = (
    "Each picture shows the loss as the weights move away from the trained network (marked) along "
    "two random directions, scaled filter by filter so that networks with larger weights don't "
    "look flatter. Tightly packed contours mean that small changes of the weights raise the loss "
    "quickly: a sharp minimum; wide spacing means a flat one."
)


@dataclass(frozen=True)
class Settings(DirectionSettings):
    """The grid and its directions."""

    x: Axis = option(
        Axis(-1.0, 1.0, 51), "coordinates along x", parse=Axis.parse, metavar="MIN:MAX:N"
    )
    y: Axis = option(
        Axis(-1.0, 1.0, 51), "coordinates along y", parse=Axis.parse, metavar="MIN:MAX:N"
    )


@dataclass(frozen=True)
class Surface(Result):
    """``loss`` and ``accuracy`` (per cent) of shape (ny, nx).

    ``origin_loss`` and ``origin_accuracy`` are those of the network itself, ``loss_stderr`` the
    sampling error of its loss. ``directions`` holds the stored tensors by path.
    """

    split: str
    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    origin_loss: float
    origin_accuracy: float
    loss_stderr: float
    direction_cosine: float
    directions: dict[str, NDArray[Any]]

    analysis: ClassVar[str] = "surface"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Coordinates, loss and accuracy under the original tool's names, and the directions."""
        unit = self.provenance.loss_unit
        axes = ("y", "x")
        return {
            "xcoordinates": Array(self.settings.x.coordinates, "x direction", ("x",)),
            "ycoordinates": Array(self.settings.y.coordinates, "y direction", ("y",)),
            f"{self.split}_loss": Array(self.loss, unit, axes),
            f"{self.split}_acc": Array(self.accuracy, "%", axes),
            "origin_loss": Array(self.origin_loss, unit),
            "origin_accuracy": Array(self.origin_accuracy, "%"),
            "loss_stderr": Array(self.loss_stderr, unit),
            "direction_cosine": Array(self.direction_cosine),
            **{name: Array(values) for name, values in self.directions.items()},
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        split = stored_split(arrays)
        return cls(
            label,
            settings,
            provenance,
            split,
            arrays[f"{split}_loss"],
            arrays[f"{split}_acc"],
            float(arrays["origin_loss"]),
            float(arrays["origin_accuracy"]),
            float(arrays["loss_stderr"]),
            float(arrays["direction_cosine"]),
            {name: values for name, values in arrays.items() if "direction/" in name},
        )

    def headline(self) -> dict[str, Any]:
        """The network's own loss with its sampling error, and the range over the plane."""
        finite = self.loss[np.isfinite(self.loss)]
        return {
            "split": self.split,
            "loss": self.origin_loss,
            "loss_stderr": self.loss_stderr,
            "accuracy": self.origin_accuracy,
            "min_loss": finite.min() if finite.size else np.nan,
            "max_loss": finite.max() if finite.size else np.nan,
            "mean_loss": finite.mean() if finite.size else np.nan,
            "not_finite": int(self.loss.size - finite.size),
            "direction_cosine": self.direction_cosine,
        }


def compute(objective: Objective, settings: Settings | None = None) -> Surface:
    """Evaluate the loss and accuracy on the grid.

    The value at (0, 0) equals ``objective.evaluate()`` exactly. A loss that is nan or inf is
    recorded as it is.
    """
    settings = settings or Settings()
    started = time.perf_counter()
    dx, dy = make_directions(objective, settings, 2)
    xs, ys = settings.x.coordinates, settings.y.coordinates
    loss, accuracy = np.empty((2, len(ys), len(xs)))
    points = [(row, column) for row in range(len(ys)) for column in range(len(xs))]
    for row, column in track(
        points, f"surface of {objective.origin.get('label', 'model')} (points)"
    ):
        moved = objective.theta + xs[column] * dx.vector + ys[row] * dy.vector
        value = objective.evaluate(moved)
        loss[row, column], accuracy[row, column] = value.loss, value.accuracy
    origin = objective.evaluate()
    return Surface(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        split=canonical_split(objective.origin.get("split", "train")),
        loss=loss,
        accuracy=accuracy,
        origin_loss=origin.loss,
        origin_accuracy=origin.accuracy,
        loss_stderr=objective.loss_standard_error(),
        direction_cosine=cosine(dx.vector, dy.vector),
        directions={**dx.arrays("xdirection"), **dy.arrays("ydirection")},
    )


def tabulate(results: Sequence[Surface]) -> list[dict[str, str]]:
    """A row of the report for each checkpoint."""
    from analyses.style import number, with_error

    return [
        {
            "checkpoint": result.label,
            f"{result.split} loss, ± sampling error": with_error(
                result.origin_loss, result.loss_stderr
            ),
            f"{result.split} accuracy, %": number(result.origin_accuracy),
            "mean loss over the plane": number(float(result.headline()["mean_loss"])),
            "largest loss on the plane": number(float(result.headline()["max_loss"])),
        }
        for result in results
    ]


def draw(results: Sequence[Surface]) -> dict[str, Figure]:
    """Filled contours and 3D surfaces, on one colour scale and one set of axes."""
    from analyses.surface_figures import contours, surfaces_3d

    return {"surface": contours(results), "surface_3d": surfaces_3d(results)}
