"""The path of a training run, and the loss on its plane."""

from dataclasses import dataclass
from typing import Any, ClassVar

from analyses.slices.result import Slice
from analyses.trajectory.settings import Settings


@dataclass(frozen=True)
class Trajectory(Slice):
    """Values on the plane, of shape (ny, nx), and the path of the saved epochs.

    ``path`` holds, each of shape (epochs,): ``epoch``, the coordinates ``x`` and ``y``,
    ``distance`` from the plane (2-norm in weight space), ``loss`` of the saved network and
    ``plane_loss`` of its projection; and ``explained``, the share of the variance that each
    principal component explains.
    """

    analysis: ClassVar[str] = "trajectory"
    settings_type: ClassVar[type[Any]] = Settings

    def headline(self) -> dict[str, Any]:
        """The slice's numbers, and the epochs, losses and largest distance of the path."""
        distance = self.path["distance"]
        return {
            **super().headline(),
            "epochs": self.path["epoch"],
            "explained_variance": self.path["explained"],
            "largest_distance": distance.max(),
            "path_loss": self.path["loss"],
            "plane_loss": self.path["plane_loss"],
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        losses = dict.fromkeys(("path_loss", "plane_loss"), self.provenance.loss_unit)
        others = {"explained_variance": "fraction", "largest_distance": "l2 norm"}
        return {**super().headline_units(), **losses, **others}
