"""The loss along a line through the weights: L(theta + a d), the 1D form of the surface."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.grid import (
    Axis,
    DirectionSettings,
    axis_label,
    make_directions,
    stored_split,
)
from landscape.data.catalog import canonical_split
from landscape.objective import Objective
from landscape.options import option
from landscape.progress import track
from landscape.provenance import Provenance
from landscape.results import Array, Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Loss along a line"
SUMMARY = "the loss along one random direction through the weights"
READING = (
    "The loss as the weights move along one random, filter-normalised direction; 0 is the trained "
    "network. A wide valley means a flat minimum, steep walls a sharp one; the line is one random "
    "cut, so small differences between curves mean little."
)


@dataclass(frozen=True)
class Settings(DirectionSettings):
    """The coordinates and the direction."""

    x: Axis = option(
        Axis(-1.0, 1.0, 51), "coordinates along x", parse=Axis.parse, metavar="MIN:MAX:N"
    )


@dataclass(frozen=True)
class Line(Result):
    """``loss`` and ``accuracy`` (per cent) of shape (nx,), and the network's own with error."""

    split: str
    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    origin_loss: float
    loss_stderr: float
    directions: dict[str, NDArray[Any]]

    analysis: ClassVar[str] = "line"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Coordinates, loss and accuracy under the original tool's names, and the direction."""
        unit = self.provenance.loss_unit
        return {
            "xcoordinates": Array(self.settings.x.coordinates, "x direction", ("x",)),
            f"{self.split}_loss": Array(self.loss, unit, ("x",)),
            f"{self.split}_acc": Array(self.accuracy, "%", ("x",)),
            "origin_loss": Array(self.origin_loss, unit),
            "loss_stderr": Array(self.loss_stderr, unit),
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
            float(arrays["loss_stderr"]),
            {name: values for name, values in arrays.items() if "direction/" in name},
        )

    def headline(self) -> dict[str, Any]:
        """The network's own loss with its sampling error, and the loss at both ends."""
        return {
            "split": self.split,
            "loss": self.origin_loss,
            "loss_stderr": self.loss_stderr,
            "loss_at_start": self.loss[0],
            "loss_at_end": self.loss[-1],
            "not_finite": int((~np.isfinite(self.loss)).sum()),
        }


def compute(objective: Objective, settings: Settings | None = None) -> Line:
    """Evaluate the loss and accuracy along the line; at 0 exactly ``objective.evaluate()``."""
    settings = settings or Settings()
    started = time.perf_counter()
    (direction,) = make_directions(objective, settings, 1)
    xs = settings.x.coordinates
    task = f"line of {objective.origin.get('label', 'model')} (points)"
    values = [objective.evaluate(objective.theta + x * direction.vector) for x in track(xs, task)]
    return Line(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        split=canonical_split(objective.origin.get("split", "train")),
        loss=np.array([value.loss for value in values]),
        accuracy=np.array([value.accuracy for value in values]),
        origin_loss=objective.loss(),
        loss_stderr=objective.loss_standard_error(),
        directions=direction.arrays("xdirection"),
    )


def tabulate(results: Sequence[Line]) -> list[dict[str, str]]:
    """A row of the report for each checkpoint."""
    from analyses.style import number, with_error

    return [
        {
            "checkpoint": result.label,
            f"{result.split} loss at 0, ± sampling error": with_error(
                result.origin_loss, result.loss_stderr
            ),
            f"loss at {result.settings.x.start:g}": number(float(result.loss[0])),
            f"loss at {result.settings.x.stop:g}": number(float(result.loss[-1])),
        }
        for result in results
    ]


def draw(results: Sequence[Line]) -> dict[str, Figure]:
    """All checkpoints' losses on one pair of axes, and their accuracies on another."""
    from analyses.style import add_legend, figure, line_styles, with_unit

    page = figure(8.0, 3.6)
    loss_axes, accuracy_axes = page.subplots(1, 2)
    handles = {}
    for result, style in zip(results, line_styles(len(results)), strict=True):
        xs = result.settings.x.coordinates
        finite = np.where(np.isfinite(result.loss), result.loss, np.nan)
        (handles[result.label],) = loss_axes.plot(xs, finite, **style)
        accuracy_axes.plot(xs, result.accuracy, **style)
    split = results[0].split
    if all((result.loss[np.isfinite(result.loss)] > 0).all() for result in results):
        loss_axes.set_yscale("log")
    along = axis_label("distance along the direction", [r.settings for r in results])
    loss_axes.set(xlabel=along, ylabel=with_unit(f"{split} loss", results))
    accuracy_axes.set(xlabel=along, ylabel=f"{split} accuracy (%)")
    for axes in (loss_axes, accuracy_axes):
        axes.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    add_legend(page, handles, columns=6)
    return {"line": page}
