"""The analyses: one package a question, each with ``compute``, ``of``, ``Settings`` and a result.

Example:
    >>> from analyses import surface
    >>> surface.of(model, data, x=(-1, 1, 51), y=(-1, 1, 51)).plot()
"""

from typing import TYPE_CHECKING, Any

from landscape.results.drawing import register_drawing

if TYPE_CHECKING:
    from analyses.analysis import Analysis, Takes
    from analyses.run_context import RunContext
    from analyses.slices.grid import Axis
    from analyses.stored import load

__all__ = ["Analysis", "Axis", "RunContext", "Takes", "load"]


def _draw_into(draw: Any, result: Any, axes: Any) -> Any:
    from analyses.drawing.given_axes import draw_into  # imports matplotlib

    return draw_into(draw, result, axes)


register_drawing(_draw_into)


def __getattr__(name: str) -> Any:
    if name in ("Analysis", "Takes"):
        from analyses import analysis

        return getattr(analysis, name)
    if name == "RunContext":
        from analyses.run_context import RunContext

        return RunContext
    if name == "Axis":
        from analyses.slices.grid import Axis

        return Axis
    if name == "load":
        from analyses.stored import load

        return load
    raise AttributeError(f"module 'analyses' has no attribute {name!r}")
