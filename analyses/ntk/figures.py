"""Pictures of tangent kernels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analyses.drawing.lettering import add_legend
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.numbers import error_bars
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import figure
from analyses.ntk.result import TangentKernel

TITLES = {"full": "full kernel", "summed": "summed over outputs"}
TICKS = {"full": "full", "summed": "summed", "logit": "logit", "logit_sum": "sum of\nlogits"}


def draw(results: Sequence[TangentKernel], options: PlotOptions | None = None) -> dict[str, Figure]:
    """The spectra of the full and the summed kernel, and the condition numbers of all kernels."""
    page = figure(7.6, 3.0)
    panels: Any = page.subplots(1, 3)
    handles: dict[str, Any] = {}
    for curve in curves_of(results, "κ", lambda r: r.mean_kappa("full").value):
        result, style = curve.result, curve.style
        for panel, variant in zip(panels, TITLES, strict=False):
            values = getattr(result, variant)[0]
            relative = np.where(values > 0, values / values[0], np.nan)
            (handles[curve.name],) = panel.plot(np.arange(1, len(values) + 1), relative, **style)
        for place, variant in enumerate(TICKS):
            mean, (_, is_bound) = result.mean_kappa(variant), result.kappas(variant)
            panels[2].errorbar(
                place + curve.offset,
                mean.value,
                yerr=error_bars([mean]),
                marker="^" if is_bound else "o",
                markersize=curve.marker_size(4.5),
                elinewidth=style.get("linewidth"),
                **curve.mark_style,
            )
    for panel, variant in zip(panels, TITLES, strict=False):
        panel.set(title=TITLES[variant], xlabel="rank", yscale="log")
        panel.grid(axis="y", color="0.92")
    panels[0].set_ylabel("eigenvalue / largest")
    panels[2].set(title="condition number κ", yscale="log")
    panels[2].set_xlim(-0.5, len(TICKS) - 0.5)
    panels[2].set_xticks(range(len(TICKS)), list(TICKS.values()))
    panels[2].grid(axis="y", color="0.92")
    plain_log_ticks(panels[2].yaxis)
    add_legend(page, handles, columns=6)
    return {"ntk": page}
