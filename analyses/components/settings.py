"""The settings of the component analysis: those of the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyses.hessian.settings import MatrixSettings

if TYPE_CHECKING:
    pass


Settings = MatrixSettings
