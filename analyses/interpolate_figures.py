"""Loss and accuracy between two checkpoints, with the barrier where there is one."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from analyses.interpolate import Interpolation
from analyses.line_figures import curves
from analyses.style import Look, with_error


def curves_with_barriers(results: Sequence[Interpolation], look: Look | None = None) -> Figure:
    """The curves, the two ends marked, and each barrier in words above them."""
    page = curves(results, "from the first checkpoint (0) to the other (1)", look)
    lines = []
    for result in results:
        for split, (height, error, place) in result.barriers().items():
            name = split if len(results) == 1 else f"{result.label}, {split}"
            at = f" at {place:.2f}" if height > 0 else ""
            lines.append(f"{name}: barrier {with_error(height, error)}{at}")
    page.axes[0].set_title("\n".join(lines), fontsize=8)
    return page
