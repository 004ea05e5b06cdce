"""The saved epochs of a run and the plane that they are shown on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyses.slices.grid import Axis
from analyses.slices.settings import SliceSettings
from landscape.errors import InputError
from landscape.runtime.options import option

if TYPE_CHECKING:
    pass


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
