"""A loss surface: values on a plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from analyses.slices.result import Slice

if TYPE_CHECKING:
    pass
from analyses.surface.settings import Settings


@dataclass(frozen=True)
class Surface(Slice):
    """Values of shape (ny, nx)."""

    analysis: ClassVar[str] = "surface"
    settings_type: ClassVar[type[Any]] = Settings
