"""Pictures of lines."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from analyses.drawing.options import PlotOptions
from analyses.line.result import Line
from analyses.slices.line_figures import curves


def draw(results: Sequence[Line], options: PlotOptions | None = None) -> dict[str, Figure]:
    """All checkpoints' losses on one pair of axes, and their accuracies on another."""
    return {"line": curves(results, "distance along the direction", options)}
