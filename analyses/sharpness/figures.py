"""Pictures of sharpness: along training, and over mini-batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analyses.drawing.lettering import add_legend
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.style import figure, line_styles, plain_log_ticks
from analyses.sharpness.result import Sharpness


def by_epoch(results: Sequence[Sharpness]) -> Figure:
    """The largest eigenvalue of each run by epoch, the edge of stability, the cosine."""
    page = figure(6.2, 4.0)
    panels: Any = page.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    handles: dict[str, Any] = {}
    for one, style in zip(results, line_styles(len(results)), strict=True):
        epochs, values = one.column("epoch"), np.abs(one.column("eigenvalue"))
        errors = np.minimum(one.column("residual"), 0.999) * values
        handles[one.label] = panels[0].errorbar(
            epochs, values, yerr=errors, marker="o", markersize=3, **style
        )
        panels[0].plot(epochs, one.column("edge"), color=style["color"], linestyle=":")
        panels[1].plot(epochs, one.column("cosine"), marker="o", markersize=3, **style)
    panels[0].set_yscale("log", nonpositive="mask")
    plain_log_ticks(panels[0].yaxis)
    panels[0].set_ylabel(with_unit("|λ₁|; dotted: edge", results))
    panels[1].set(ylim=(0, 1), xlabel="epoch", ylabel="|cos(gradient, v₁)|")
    panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    for panel in panels:
        panel.grid(axis="y", color="0.92")
    add_legend(page, handles)
    return page


def draw(results: Sequence[Sharpness], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Eigenvalues and edges by epoch, and the cosines below."""
    return {"sharpness": by_epoch(results)}
