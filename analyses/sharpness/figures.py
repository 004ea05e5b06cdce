"""The picture of sharpness along training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analyses.drawing.lettering import add_legend
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import figure
from analyses.saved_epochs import what_is_counted
from analyses.sharpness.result import Sharpness


def draw(results: Sequence[Sharpness], options: PlotOptions | None = None) -> dict[str, Figure]:
    """The largest eigenvalue and the edge of stability by epoch, and the cosine below."""
    page = figure(6.2, 4.0)
    panels: Any = page.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    handles: dict[str, Any] = {}
    for curve in curves_of(results, "last λ_max", lambda r: float(r.column("eigenvalue")[-1])):
        result, style = curve.result, curve.style
        epochs, values = result.column("epoch"), result.column("eigenvalue")
        errors = np.minimum(result.column("residual"), 0.999) * np.abs(values)
        handles[curve.name] = panels[0].errorbar(
            epochs, values, yerr=errors, marker="o", markersize=curve.marker_size(3), **style
        )
        width = style.get("linewidth")
        panels[0].plot(
            epochs, result.column("edge"), linestyle=":", linewidth=width, **curve.mark_style
        )
        panels[1].plot(
            epochs, result.column("cosine"), marker="o", markersize=curve.marker_size(3), **style
        )
    panels[0].set_yscale("log", nonpositive="mask")
    plain_log_ticks(panels[0].yaxis)
    panels[0].set_ylabel(with_unit("λ_max; dotted: edge", results))
    panels[1].set(ylim=(0, 1), xlabel=what_is_counted(results), ylabel="|cos(gradient, v)|")
    panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    for panel in panels:
        panel.grid(axis="y", color="0.92")
    add_legend(page, handles)
    return {"sharpness": page}
