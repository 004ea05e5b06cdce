"""Histograms of mini-batch eigenvalues."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analyses.drawing.lettering import add_legend
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of_groups
from analyses.drawing.style import figure
from analyses.minibatch.result import MinibatchSpectra


def draw(
    results: Sequence[MinibatchSpectra], options: PlotOptions | None = None
) -> dict[str, Figure]:
    """The share of eigenvalues by value, a histogram for each checkpoint on shared axes.

    Replicates have one together.
    """
    page = figure(5.8, 2.8)
    axes = page.subplots()
    every = np.concatenate([result.eigenvalues.ravel() for result in results])
    finite = every[np.isfinite(every)]
    edges = np.linspace(finite.min(initial=0.0), finite.max(initial=1e-12), 41)
    handles: dict[str, Any] = {}
    for members, curve in curves_of_groups(results, "mean", lambda r: float(r.eigenvalues.mean())):
        eigenvalues = np.concatenate([result.eigenvalues.ravel() for result in members])
        shares, _ = np.histogram(eigenvalues, edges)
        percent = 100 * shares / eigenvalues.size
        handles[curve.name] = axes.stairs(percent, edges, **{"linewidth": 1.5, **curve.style})
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
    return {"minibatch": page}
