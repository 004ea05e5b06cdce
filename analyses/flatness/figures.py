"""Pictures of flatness: the loss by the size of noise, and by the radius of a ball."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analyses.drawing.lettering import add_legend
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.style import figure, line_styles, plain_log_ticks
from analyses.flatness.result import Flatness
from analyses.flatness.settings import BALLS
from landscape.runtime.choices import NOISES

TITLES = {
    "fixed": "fixed noise",
    "filter": "relative to each filter",
    "adaptive": "relative to each weight",
    "l2": "Euclidean ball",
    "adaptive-l2": "adaptive ball, 2-norm",
    "adaptive-linf": "adaptive ball, maximum norm",
}
RADII = {
    "l2": "radius ρ: ‖ε‖₂ ≤ ρ",
    "adaptive-l2": "radius ρ: ‖ε/|w|‖₂ ≤ ρ",
    "adaptive-linf": "radius ρ: max|ε/w| ≤ ρ",
}


def curves(results: Sequence[Flatness]) -> Figure:
    """A row of panels for the noises, one for the balls, with all results in each."""
    kinds = [kind for kind in NOISES if any(kind in one.average for one in results)]
    balls = [ball for ball in BALLS if any(ball in one.worst for one in results)]
    rows = [row for row in (kinds, balls) if row]
    columns = max(map(len, rows))
    page = figure(2.35 * columns + 0.5, 2.3 * len(rows) + 0.6)
    panels: Any = page.subplots(len(rows), columns, sharey="row", squeeze=False)
    handles: dict[str, Any] = {}
    for names, places in zip(rows, panels, strict=True):
        for name, axes in zip(names, places, strict=False):
            shown = _noise(axes, name, results) if name in NOISES else _ball(axes, name, results)
            for label, curve in shown.items():
                handles.setdefault(label, curve)
            axes.set_title(TITLES[name])
            axes.grid(axis="y", color="0.92")
        for axes in places[len(names) :]:
            axes.set_axis_off()
        what = "mean loss under noise" if names is kinds else "highest loss found"
        places[0].set_ylabel(with_unit(what, results))
        _scale(places[0], names, results)
    if balls:
        handles["SAM's single step"] = Line2D([], [], color="0.4", marker="x", linestyle="none")
    add_legend(page, handles, columns=6)
    return page


def _noise(axes: Axes, kind: str, results: Sequence[Flatness]) -> dict[str, Any]:
    handles: dict[str, Any] = {}
    grid: set[float] = set()
    for one, style in zip(results, line_styles(len(results)), strict=True):
        if kind not in one.average:
            continue
        found = one.average[kind]
        grid |= set(found.sigmas.tolist())
        mean, error = found.mean, np.nan_to_num(found.stderr)
        (handles[one.label],) = axes.plot(found.sigmas, mean, marker="o", markersize=3, **style)
        axes.fill_between(
            found.sigmas, mean - error, mean + error, color=style["color"], alpha=0.2, linewidth=0
        )
    axes.set_xlabel("noise σ" if kind == "fixed" else "noise σ, relative")
    _grid_ticks(axes, grid)
    return handles


def _ball(axes: Axes, ball: str, results: Sequence[Flatness]) -> dict[str, Any]:
    handles: dict[str, Any] = {}
    grid: set[float] = set()
    for one, style in zip(results, line_styles(len(results)), strict=True):
        if ball not in one.worst:
            continue
        found = one.worst[ball]
        grid |= set(found.radii.tolist())
        (handles[one.label],) = axes.plot(
            found.radii, found.losses, marker="o", markersize=3, **style
        )
        axes.plot(
            found.radii,
            np.where(np.isfinite(found.one_step), found.one_step, np.nan),
            marker="x",
            markersize=3.5,
            linestyle="none",
            color=style["color"],
        )
    axes.set_xlabel(RADII[ball])
    _grid_ticks(axes, grid)
    return handles


def _grid_ticks(axes: Axes, grid: set[float]) -> None:
    """A logarithmic axis with its ticks where the losses were measured, seven at most."""
    places = sorted(grid)
    places = places[:: -(-len(places) // 7)]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _scale(axes: Axes, names: Sequence[str], results: Sequence[Flatness]) -> None:
    """The row's losses on a logarithmic axis, unless some are not positive."""
    shown = [
        values
        for one in results
        for name in names
        for values in ([one.average[name].mean] if name in one.average else [])
        + ([one.worst[name].losses, one.worst[name].one_step] if name in one.worst else [])
    ]
    finite = np.concatenate(shown)
    finite = finite[np.isfinite(finite)]
    if finite.size and finite.min() > 0:
        axes.set_yscale("log")
        # A band may reach below 0; the axis ends where the curves do.
        axes.set_ylim(0.7 * float(finite.min()), 1.4 * float(finite.max()))
        plain_log_ticks(axes.yaxis)


def draw(results: Sequence[Flatness], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Curves over sigma and over rho, a panel for each kind of noise and each ball."""
    return {"flatness": curves(results)}
