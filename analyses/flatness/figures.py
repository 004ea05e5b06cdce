"""Pictures of flatness: the loss by the size of noise, and by the radius of a ball."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analyses.drawing.lettering import add_legend
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import Curve, curves_of
from analyses.drawing.style import figure
from analyses.flatness.result import Flatness
from analyses.flatness.settings import BALLS
from landscape.estimates import half_width
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


def draw(results: Sequence[Flatness], options: PlotOptions | None = None) -> dict[str, Figure]:
    """A row of panels for the kinds of noise and one for the balls, with all results in each."""
    kinds = [kind for kind in NOISES if any(kind in result.average for result in results)]
    balls = [ball for ball in BALLS if any(ball in result.worst for result in results)]
    rows = [row for row in (kinds, balls) if row]
    columns = max(map(len, rows))
    page = figure(2.35 * columns + 0.5, 2.3 * len(rows) + 0.6)
    panels: Any = page.subplots(len(rows), columns, sharey="row", squeeze=False)
    handles: dict[str, Any] = {}
    for names, row in zip(rows, panels, strict=True):
        for name, axes in zip(names, row, strict=False):
            draw_panel = _draw_noise if name in NOISES else _draw_ball
            for label, curve in draw_panel(axes, name, results).items():
                handles.setdefault(label, curve)
            axes.set_title(TITLES[name])
            axes.grid(axis="y", color="0.92")
        for axes in row[len(names) :]:
            axes.set_axis_off()
        quantity = "mean loss under noise" if names is kinds else "highest loss found"
        row[0].set_ylabel(with_unit(quantity, results))
        _set_scale(row[0], names, results)
    if balls:
        handles["SAM's single step"] = Line2D([], [], color="0.4", marker="x", linestyle="none")
    add_legend(page, handles, columns=6)
    return {"flatness": page}


def _draw_noise(axes: Axes, kind: str, results: Sequence[Flatness]) -> dict[str, Any]:
    """The mean loss by sigma with its 68 % interval as a band; returns the curves by label."""
    handles: dict[str, Any] = {}
    grid: set[float] = set()
    for curve in _curves_of(results):
        result, style = curve.result, curve.style
        if kind not in result.average:
            continue
        average = result.average[kind]
        sigmas, mean = average.sigmas, average.mean
        error = np.nan_to_num(half_width(average.stderr, average.dof))
        grid |= set(sigmas.tolist())
        (handles[curve.name],) = axes.plot(
            sigmas, mean, marker="o", markersize=curve.marker_size(3), **style
        )
        if curve.has_band:
            axes.fill_between(
                sigmas, mean - error, mean + error, color=style["color"], alpha=0.2, linewidth=0
            )
    axes.set_xlabel("noise σ" if kind == "fixed" else "noise σ, relative")
    _set_grid_ticks(axes, grid)
    return handles


def _draw_ball(axes: Axes, ball: str, results: Sequence[Flatness]) -> dict[str, Any]:
    """The highest loss by radius and SAM's single step; returns the curves by label."""
    handles: dict[str, Any] = {}
    grid: set[float] = set()
    for curve in _curves_of(results):
        result, style = curve.result, curve.style
        if ball not in result.worst:
            continue
        worst = result.worst[ball]
        grid |= set(worst.radii.tolist())
        (handles[curve.name],) = axes.plot(
            worst.radii, worst.losses, marker="o", markersize=curve.marker_size(3), **style
        )
        axes.plot(
            worst.radii,
            np.where(np.isfinite(worst.one_step), worst.one_step, np.nan),
            marker="x",
            markersize=curve.marker_size(3.5),
            linestyle="none",
            **curve.mark_style,
        )
    axes.set_xlabel(RADII[ball])
    _set_grid_ticks(axes, grid)
    return handles


def _curves_of(results: Sequence[Flatness]) -> list[Curve[Flatness]]:
    return curves_of(results, "loss", lambda result: result.loss, has_bands=True)


def _set_grid_ticks(axes: Axes, grid: set[float]) -> None:
    """Make the axis logarithmic, with at most seven ticks where the losses were measured.

    Networks may have been measured at other places each: ticks that are too close are left out.
    """
    ticks = sorted(grid)
    closest = np.log(ticks[-1] / ticks[0]) / 8
    kept = ticks[:1]
    for tick in ticks[1:]:
        if np.log(tick / kept[-1]) >= closest:
            kept.append(tick)
    ticks = kept[:: -(-len(kept) // 7)]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _set_scale(axes: Axes, names: Sequence[str], results: Sequence[Flatness]) -> None:
    """Show a row's losses on a logarithmic axis, unless some are not positive."""
    losses = []
    for result in results:
        for name in names:
            if name in result.average:
                losses.append(result.average[name].mean)
            if name in result.worst:
                losses += [result.worst[name].losses, result.worst[name].one_step]
    finite = np.concatenate(losses)
    finite = finite[np.isfinite(finite)]
    if finite.size and finite.min() > 0:
        axes.set_yscale("log")
        # A band may reach below 0; the axis ends where the curves do.
        axes.set_ylim(0.7 * float(finite.min()), 1.4 * float(finite.max()))
        plain_log_ticks(axes.yaxis)
