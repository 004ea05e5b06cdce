"""Loss and accuracy between two checkpoints, with the barrier where there is one."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from analyses.drawing.lettering import plain_text
from analyses.drawing.numbers import with_error
from analyses.drawing.options import PlotOptions
from analyses.interpolate.result import Interpolation
from analyses.slices.line_figures import curves

# Of text above the panels.
MOST_LINES = 12


def draw(results: Sequence[Interpolation], options: PlotOptions | None = None) -> dict[str, Figure]:
    """The loss and accuracy of every split along each line, with the barriers in words above."""
    page = curves(results, "from the first checkpoint (0) to the other (1)", options)
    lines = []
    for result in results:
        for split, barrier in result.barriers().items():
            name = plain_text(split if len(results) == 1 else f"{result.label}, {split}")
            at = f" at {barrier.place:.2f}" if barrier.height > 0 else ""
            lines.append(f"{name}: barrier {with_error(barrier.height, barrier.stderr)}{at}")
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"and {len(lines) - MOST_LINES} more barriers, see the table"]
    page.axes[0].set_title("\n".join(lines), fontsize=8)
    return {"interpolate": page}
