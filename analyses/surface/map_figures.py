"""Further pictures of planes: convexity, errors of interpolation, the spread over directions."""

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.numbers import with_unit
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import figure
from analyses.surface.panel_figures import panels_of
from analyses.surface.result import Surface

RADII = 12


def convexity_map(results: Sequence[Surface]) -> Figure:
    """A map of |smallest / largest Hessian eigenvalue|; 0 where the smallest is not negative."""
    page, panels = panels_of(results)
    scale = Normalize(0.0, 1.0)
    for panel, result in zip(panels, results, strict=True):
        smallest, largest = result.values["min_eig"], result.values["max_eig"]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(smallest >= 0, 0.0, np.abs(smallest / largest))
        panel.set_facecolor("0.85")
        panel.pcolormesh(
            result.x, result.rows, np.ma.masked_invalid(ratio), norm=scale, cmap="cividis",
            shading="nearest",
        )  # fmt: skip
        panel.plot(0, 0, marker="+", color="white", markersize=8)
    bar = page.colorbar(ScalarMappable(scale, "cividis"), ax=panels, extend="max", aspect=30)
    bar.set_label("|λmin / λmax| where λmin < 0 (0: convex)")
    return page


def error_map(results: Sequence[Surface], sharing: Sequence[Surface] = ()) -> Figure:
    """A map of the standard error of refined losses; dots are measured points.

    Errors are in per cent of the losses where all of them are relative, and otherwise in the unit
    of the losses.

    Args:
        results: the surfaces.
        sharing: all the surfaces of the same scale, where there are more than these.
    """
    page, panels = panels_of(results)
    refined = [result for result in sharing or results if result.errors]
    in_per_cent = all(r.has_relative_error(f"{r.split}_loss") for r in refined)
    errors = [_errors(result, in_per_cent) for result in refined]
    positive = np.concatenate([error[(error > 0) & np.isfinite(error)] for error in errors])
    scale = (
        LogNorm(np.quantile(positive, 0.02), positive.max())
        if positive.size
        else Normalize(0.0, 1.0)
    )
    for panel, result in zip(panels, results, strict=True):
        if result.errors:
            shown = np.ma.masked_less_equal(_errors(result, in_per_cent), 0.0)
            panel.pcolormesh(
                result.x, result.rows, shown, norm=scale, cmap="magma_r", shading="nearest"
            )
            rows, columns = np.nonzero(result.measured)
            panel.plot(result.x[columns], result.rows[rows], ".", color="0.1", markersize=1.5)
        share = 100 * result.measured.mean()
        panel.set_title(f"{panel.get_title()}: {share:.1f}% measured")
    bar = page.colorbar(ScalarMappable(scale, "magma_r"), ax=panels, extend="min", aspect=30)
    if isinstance(scale, LogNorm):
        plain_log_ticks(bar.ax.yaxis)
    name = "standard error of the refined loss"
    bar.set_label(f"{name} (%)" if in_per_cent else with_unit(name, refined))
    return page


def _errors(result: Surface, in_per_cent: bool) -> NDArray[np.float64]:
    name = f"{result.split}_loss"
    return 100 * result.errors[name] if in_per_cent else result.absolute_error(name)


def profiles(results: Sequence[Surface]) -> Figure:
    """The mean loss by distance from the network; the band is the range over directions."""
    page = figure(5.0, 3.4)
    panel = page.subplots()
    handles = {}
    positive = True
    for curve in curves_of(results, "mean loss", _mean_loss, has_bands=True):
        result, style = curve.result, curve.style
        if not result.repeats:
            continue
        radii, rings = _rings(result)
        positive = positive and bool((rings > 0).all())
        (handles[curve.name],) = panel.plot(radii, rings.mean(0), **style)
        if curve.is_named:
            panel.fill_between(
                radii, rings.min(0), rings.max(0), color=style["color"], alpha=0.2, linewidth=0
            )
    if positive:
        panel.set_yscale("log")
        plain_log_ticks(panel.yaxis)
    count = max(result.settings.repeats for result in results)
    panel.set_xlabel("distance from the network in the plane (units of the axes)")
    panel.set_ylabel(
        with_unit(f"mean {plain_text(results[0].split)} loss at that distance", results)
    )
    panel.set_title(f"mean and range over {count} pairs of directions")
    add_legend(page, handles, columns=3)
    return page


def _mean_loss(result: Surface) -> float:
    return float(np.nanmean(result.loss))


def _rings(result: Surface) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The distances of rings (n,) and the mean loss of each repeat on each ring, (repeats, n).

    Rings reach as far as the grid holds all of them. On a grid that has no such ring, as one beside
    the network, parts of rings are taken, as far as its farthest point.
    """
    xs, ys = np.meshgrid(result.x, result.rows)
    distance = np.hypot(xs, ys)
    ends = (-result.x[0], result.x[-1], -result.rows[0], result.rows[-1])
    reach = min(ends)
    if reach <= 0 or (distance > reach).all():
        reach = distance.max()
    edges = np.linspace(0, reach * (1 + 1e-9), RADII + 1)
    ring = np.digitize(distance, edges) - 1
    used = [k for k in range(RADII) if (ring == k).any()]
    losses = result.repeats[f"{result.split}_loss"]
    means = np.array([[loss[ring == k].mean() for k in used] for loss in losses])
    return np.array([distance[ring == k].mean() for k in used]), means
