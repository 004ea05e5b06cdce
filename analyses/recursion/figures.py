"""The picture of the factors of the layers' Hessians."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analyses.drawing.lettering import add_legend
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import Curve, curves_of_groups
from analyses.drawing.style import figure
from analyses.recursion.result import Recursion, series
from landscape.estimates import half_width

Array = NDArray[np.float64]

ROWS = ("‖a‖² of a sample", "|λ| of ℋ", "|f'(h)| > 0.1 (%)", "|λ| of the block")
# The indices of rows that are drawn in a way of their own.
EIGENVALUE, SHARE, BLOCK = 1, 2, 3
MARKS = {"first": "o", "second": "o", "between": "o", "head": "D"}
MEANINGS = {
    "first": "before the activation",
    "second": "after the activation",
    "head": "head",
}
TITLES = {
    "mlp": "MLP",
    "mlp_tokens": "token-mixing MLP",
    "mlp_channels": "channel-mixing MLP",
    "": "all layers",
}


def draw(results: Sequence[Recursion], options: PlotOptions | None = None) -> dict[str, Figure]:
    """A row for each factor and for the block, a column for each kind of MLP."""
    kinds = list(dict.fromkeys(kind for result in results for kind, _ in series(result)))
    page = figure(2.3 * max(len(kinds), 2) + 0.7, 7.6)
    panels = page.subplots(len(ROWS), len(kinds), sharex="col", sharey="row", squeeze=False)
    names: dict[str, Any] = {}
    roles: dict[str, Any] = {}
    curves = curves_of_groups(results, "λ of a block", lambda r: float(np.abs(r.blocks).max()))
    for runs, curve in curves:
        names[curve.name] = Line2D([], [], **curve.style)
        for (kind, role), members in series(runs[0]).items():
            column = panels[:, kinds.index(kind)]
            _draw_series(column, runs, members, role, curve)
            if role in MEANINGS:
                roles[MEANINGS[role]] = _mark(role)
    roles["bound on the block"] = Line2D([], [], color="0.3", linestyle=":", marker="_")
    for row, title in enumerate(ROWS):
        has_unit = row in (EIGENVALUE, BLOCK)
        panels[row, 0].set_ylabel(with_unit(title, results) if has_unit else title)
    page.align_ylabels(panels[:, 0])
    for column, kind in zip(panels.T, kinds, strict=True):
        _label_column(column, kind, results)
        for row, axes in enumerate(column):
            _set_scale(axes, row)
    add_legend(page, names, columns=6)
    page.legend(
        roles.values(),
        roles.keys(),
        loc="outside upper center",
        ncols=len(roles) if len(kinds) > 2 else 2,
    )
    return {"recursion": page}


def _draw_series(
    column: NDArray[Any],
    runs: Sequence[Recursion],
    members: Sequence[tuple[int, int]],
    role: str,
    curve: Curve[Recursion],
) -> None:
    """Draw the layers of one series, each an index and a position, in all rows of a column."""
    layers = [n for n, _ in members]
    places = [place for _, place in members]
    style = curve.style
    marker = {
        "marker": MARKS[role],
        "markersize": curve.marker_size(3.5),
        "markerfacecolor": "white" if role == "second" else style["color"],
    }
    *rows, (bound, bound_bars) = _means(runs)
    for axes, (mean, bars) in zip(column, rows, strict=True):
        if np.isfinite(mean[layers]).any():
            axes.errorbar(places, mean[layers], yerr=bars[:, layers], **marker, **style)
    column[BLOCK].errorbar(
        places,
        bound[layers],
        yerr=bound_bars[:, layers],
        linestyle=":",
        linewidth=style.get("linewidth", 1.0),
        marker="_",
        markersize=5,
        **curve.mark_style,
    )


def _means(runs: Sequence[Recursion]) -> list[tuple[Array, Array]]:
    """The mean of every layer, (layers,), with its bars down and up, (2, layers).

    Of one network the bars are the interval of measurement; of replicates the range of their means.

    Returns:
        One for each row of the picture, and the bound.
    """
    measured = [_measured(run) for run in runs]
    if len(runs) == 1:
        return [(mean, np.stack([bars, bars])) for mean, bars in measured[0]]
    means = [np.stack([mean for mean, _ in of_runs]) for of_runs in zip(*measured, strict=True)]
    return [(over.mean(0), _bars_to_ends(over)) for over in means]


def _bars_to_ends(values: Array) -> Array:
    """How far the least and the largest of some runs are from their mean, (2, layers)."""
    mean = values.mean(0)
    return np.nan_to_num(np.stack([mean - values.min(0), values.max(0) - mean]))


def _measured(result: Recursion) -> list[tuple[Array, Array]]:
    """Mean and half of the interval of every layer, for each row of the picture and the bound."""
    numbers = (
        (result.inputs.T, result.dof),
        (result.magnitudes.T, result.dof_of_hessians),
        (100 * result.active.T, result.dof),
        ((np.abs(result.blocks), result.block_stderr), result.dof_of_blocks),
        (result.bounds.T, result.dof_of_hessians),
    )
    return [(mean, np.nan_to_num(half_width(error, dof))) for (mean, error), dof in numbers]


def _label_column(column: NDArray[Any], kind: str, results: Sequence[Recursion]) -> None:
    """Set title and ticks of a column; a head's tick has its name where it is the last."""
    layers: set[int] = set()
    heads: set[int] = set()
    for result in results:
        for (mlp, role), members in series(result).items():
            if mlp == kind:
                (heads if role == "head" else layers).update(place for _, place in members)
    deepest, last = max(layers, default=0), max(heads, default=0)
    column[0].set_title(TITLES[kind] if deepest else "head")
    axis = column[-1].xaxis
    column[-1].set_xlim(0.5, max(deepest, last) + 0.5)
    axis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    axis.set_major_formatter(lambda v, _: "head" if v == last > deepest else f"{v:g}")
    if deepest:
        column[-1].set_xlabel("block" if kind else "layer")


def _set_scale(axes: Axes, row: int) -> None:
    """Per cent from 0 to 100 for the share of neurons; logarithmic for the other rows."""
    axes.grid(axis="y", color="0.92")
    if row == SHARE:
        axes.set_ylim(0, 100)
        if not axes.has_data():
            axes.text(0.5, 0.5, "no activation", transform=axes.transAxes, ha="center", color="0.4")
    elif any((np.asarray(line.get_ydata()) > 0).any() for line in axes.lines):
        axes.set_yscale("log", nonpositive="mask")
        plain_log_ticks(axes.yaxis)


def _mark(role: str) -> Line2D:
    """A role's mark for the legend."""
    face = "white" if role == "second" else "0.3"
    return Line2D([], [], color="0.3", linestyle="", marker=MARKS[role], markerfacecolor=face)
