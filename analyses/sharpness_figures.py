"""Pictures of sharpness: along training, and over mini-batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analyses.lettering import add_legend
from analyses.minibatch import MinibatchSpectra
from analyses.sharpness import Sharpness
from analyses.style import figure, line_styles, plain_log_ticks, with_unit


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


def histograms(results: Sequence[MinibatchSpectra]) -> Figure:
    """The share of eigenvalues by value, all networks on one pair of axes."""
    page = figure(5.8, 2.8)
    axes = page.subplots()
    low = min(float(one.eigenvalues.min()) for one in results)
    high = max(float(one.eigenvalues.max()) for one in results)
    edges = np.linspace(min(low, 0.0), max(high, 1e-12), 41)
    handles: dict[str, Any] = {}
    for one, style in zip(results, line_styles(len(results)), strict=True):
        shares, _ = np.histogram(one.eigenvalues, edges)
        percent = 100 * shares / one.eigenvalues.size
        handles[one.label] = axes.stairs(
            percent, edges, color=style["color"], linestyle=style["linestyle"], linewidth=1.5
        )
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.set(
        xlabel=with_unit("top Hessian eigenvalues of mini-batches", results),
        ylabel="eigenvalues (%)",
        yscale="symlog",
    )
    axes.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    axes.set_ylim(0, 110)
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    add_legend(page, handles)
    return page
