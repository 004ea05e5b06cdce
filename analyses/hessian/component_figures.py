"""The picture of the curvature of components."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analyses.drawing.crowds import MOST_NAMED
from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.numbers import with_unit
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import figure
from analyses.hessian.component_curvature import HasComponents, component_names
from analyses.hessian.eigenvalues import LARGEST


def component_curvatures(results: Sequence[HasComponents]) -> Figure:
    """The largest eigenvalue of each component, and of the whole network below."""
    names = component_names(results)
    rows = [*names, "whole network"]
    page = figure(5.8, 0.7 + 0.21 * len(rows) + 0.12 * min(len(results), MOST_NAMED))
    axes = page.subplots()
    handles: dict[str, Any] = {}
    has_values = False  # a scale of logarithms needs one that is not 0
    for curve in curves_of(results, "λ_max", lambda r: float(r.ends.values[LARGEST])):
        result, style = curve.result, curve.style
        components = result.components
        values = np.array([*components.largest.values, result.ends.values[LARGEST]])
        bars = np.array([*components.largest.bars, result.ends.bars[LARGEST]])
        places = np.array([rows.index(name) for name in (*components.names, "whole network")])
        handles[curve.name] = axes.errorbar(
            np.abs(values),
            places,
            xerr=bars,
            marker="o" if style["linestyle"] == "-" else "s",
            markersize=curve.marker_size(4.5),
            **curve.mark_style,
            markerfacecolor=style["color"] if style["linestyle"] == "-" else "none",
            linestyle="none",
        )
        has_values |= bool(np.nan_to_num(values).any())
        negative = values < 0
        axes.plot(
            np.abs(values[negative]),
            places[negative],
            "v",
            markersize=9,
            markerfacecolor="none",
            **curve.mark_style,
        )
    axes.set_yticks(range(len(rows)), [plain_text(name) for name in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.axhline(len(names) - 0.5, color="0.7", linewidth=0.8)
    if has_values:
        axes.set_xscale("log", nonpositive="mask")
        plain_log_ticks(axes.xaxis)
    has_negative = any((r.components.largest.values < 0).any() for r in results)
    note = "; triangle: negative" if has_negative else ""
    axes.set_xlabel(
        with_unit(
            "|largest Hessian eigenvalue|" if has_negative else "largest Hessian eigenvalue",
            results,
        )
        + note
    )
    axes.grid(axis="x", color="0.92")
    add_legend(page, handles)
    return page
