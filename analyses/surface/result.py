"""A loss surface: values on a plane."""

from dataclasses import dataclass
from typing import Any, ClassVar

from analyses.slices.result import Slice
from analyses.surface.settings import Settings


@dataclass(frozen=True)
class Surface(Slice):
    """Values of shape (ny, nx)."""

    analysis: ClassVar[str] = "surface"
    settings_type: ClassVar[type[Any]] = Settings
