"""The settings of the component analysis: those of the matrix."""

from analyses.hessian.settings import MatrixSettings as Settings

__all__ = ["Settings"]
