"""The saved epochs of a run and the plane that they are shown on."""

from dataclasses import dataclass

from analyses.saved_epochs import as_words, epochs_option
from analyses.slices.grid import Axis, OptionalAxisField
from analyses.slices.settings import PlaneSettings
from landscape.errors import InputError
from landscape.runtime.options import option


@dataclass(frozen=True)
class Settings(PlaneSettings):
    """The saved epochs and the plane.

    Example:
        >>> Settings(x=(-1, 1, 11), y=(-1, 1, 11)).x.count
        11
    """

    epochs: tuple[str, ...] = epochs_option()
    directions: str = option(
        "pca",
        "pca (the first two principal components), or as for surface",
        metavar="KIND|FILE.h5",
    )
    x: OptionalAxisField = option(
        None, "coordinates along x (default: the path and a margin)", parse=Axis.parse,
        metavar="MIN:MAX:N",
    )  # fmt: skip
    y: OptionalAxisField = option(
        None, "coordinates along y, likewise", parse=Axis.parse, metavar="MIN:MAX:N"
    )
    points: int = option(25, "points a side where no coordinates are given", metavar="N")

    def __post_init__(self) -> None:
        """Raise InputError for settings that contradict each other."""
        super().__post_init__()
        object.__setattr__(self, "epochs", as_words(self.epochs))
        if self.points < 2:
            raise InputError(f"--points has to be at least 2, got {self.points}")
        if self.directions == "pca" and (self.toward_x or self.toward_y or self.orthogonalize):
            raise InputError(
                "--toward-x, --toward-y and --orthogonalize need other --directions than pca"
            )

    @property
    def kinds(self) -> tuple[str, str] | None:
        """The kinds of x and y, ``pca`` among them; None if they are read from a file."""
        return ("pca", "pca") if self.directions == "pca" else super().kinds
