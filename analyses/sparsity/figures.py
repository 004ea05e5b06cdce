"""Pictures of activation sparsity."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.numbers import error_bars
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import Curve, curves_of
from analyses.drawing.style import figure
from analyses.sparsity.result import BINS, Sparsity, series
from landscape.estimates import half_width

TITLES = {
    "mlp": "MLP",
    "mlp_tokens": "token-mixing MLP",
    "mlp_channels": "channel-mixing MLP",
    "activation": "all activations",
}


def draw(results: Sequence[Sparsity], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Active neurons by layer and, unless all files are of an earlier version, single neurons."""
    pages = {"sparsity": _active_neurons(results)}
    if any(math.isfinite(result.dead[0]) for result in results):
        pages["sparsity-neurons"] = _single_neurons(results)
    return pages


def _active_neurons(results: Sequence[Sparsity]) -> Figure:
    """A panel for each set of layers, shared by the networks of one architecture."""
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for index, result in enumerate(results):
        for kind in series(result):
            groups.setdefault((kind, result.layers), []).append(index)
    columns = min(len(groups), 4)
    rows = math.ceil(len(groups) / columns)
    page = figure(2.3 * max(columns, 2) + 0.6, 2.4 * rows + 0.5)
    panels = page.subplots(rows, columns, sharey=True, squeeze=False)
    curves = _curves_of(results)
    handles: dict[str, Any] = {}
    for panel in panels.flat[len(groups) :]:
        panel.set_axis_off()
    for panel, ((kind, _), members) in zip(panels.flat, groups.items(), strict=False):
        for index in members:
            result = results[index]
            layers = series(result)[kind]
            bars = panel.errorbar(
                np.arange(1, len(layers) + 1),
                100 * result.active[layers],
                yerr=error_bars([result.shares[layer] for layer in layers], 100),
                marker="o",
                markersize=curves[index].marker_size(3.5),
                **curves[index].style,
            )
            handles.setdefault(curves[index].name, bars)
        panel.set_title(plain_text(TITLES.get(kind, kind)))
        panel.set_xlabel("block" if kind.startswith("mlp") else "activation layer")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        panel.set_ylim(0, 100)
        panel.grid(axis="y", color="0.92")
    for row in panels:
        row[0].set_ylabel("active neurons (%)")
    add_legend(page, handles, columns=6)
    return page


def _curves_of(results: Sequence[Sparsity]) -> list[Curve[Sparsity]]:
    return curves_of(results, "active share", lambda result: float(np.nanmean(result.active)))


def _single_neurons(results: Sequence[Sparsity]) -> Figure:
    """Dead neurons and effective rank by layer, and how often neurons are active."""
    page = figure(7.6, 3.0)
    dead, rank, often = page.subplots(1, 3)
    handles: dict[str, Any] = {}
    centres = (np.arange(BINS) + 0.5) * 100 / BINS
    for curve in _curves_of(results):
        result, style = curve.result, curve.style
        layers = np.arange(1, len(result.layers) + 1)
        marked = {**style, "marker": "o", "markersize": curve.marker_size(3.5)}
        dead.plot(layers, 100 * result.dead, **marked)
        handles[curve.name] = rank.errorbar(
            layers,
            result.rank[:, 0],
            yerr=np.nan_to_num(half_width(result.rank[:, 1], result.jackknife_dof)),
            **marked,
        )
        counts = result.histogram.sum(0)
        often.plot(centres, 100 * counts / max(counts.sum(), 1), drawstyle="steps-mid", **style)
    for panel in (dead, rank):
        panel.set_xlabel("activation layer")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        panel.set_ylim(bottom=0)
        panel.grid(axis="y", color="0.92")
    dead.set_ylim(0, max(1.0, dead.get_ylim()[1]))
    dead.set_ylabel("neurons never active (%)")
    rank.set_ylabel("effective rank of the features")
    often.set_xlabel("of the time active (%)")
    often.set_ylabel("neurons (%)")
    often.set_ylim(bottom=0)
    often.grid(axis="y", color="0.92")
    add_legend(page, handles, columns=6)
    return page
