"""The picture of component curvatures."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from analyses.components.result import ComponentCurvature
from analyses.drawing.options import PlotOptions
from analyses.hessian.component_figures import component_curvatures


def draw(
    results: Sequence[ComponentCurvature], options: PlotOptions | None = None
) -> dict[str, Figure]:
    """The largest eigenvalue of each component, and of the whole network below."""
    return {"components": component_curvatures(results)}
