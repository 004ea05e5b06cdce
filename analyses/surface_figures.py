"""Pictures of surfaces: filled contours and 3D, all checkpoints on one scale."""

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from analyses.grid import axis_label
from analyses.style import MAP, figure, grid_shape, plain_text, with_unit
from analyses.surface import Surface

Array = NDArray[np.float64]

# Beyond this ratio of largest to smallest loss a linear scale shows the walls and nothing else.
LOG_RATIO = 10.0


def contours(results: Sequence[Surface]) -> Figure:
    """A panel for each checkpoint; the same colour is the same loss in all of them."""
    rows, columns = grid_shape(len(results))
    page = figure(2.5 * columns + 1.0, 2.4 * rows + 0.4)
    panels = page.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    scale, levels = shared_scale(results)
    for number, panel in enumerate(panels.flat):
        if number >= len(results):
            panel.set_axis_off()
            continue
        result = results[number]
        xs, ys = result.settings.x.coordinates, result.settings.y.coordinates
        loss = masked(result.loss)
        panel.set_facecolor("0.85")
        panel.contourf(xs, ys, loss, levels=levels, norm=scale, cmap=MAP, extend="both")
        lines = panel.contour(xs, ys, loss, levels=levels[::2], colors="white", linewidths=0.5)
        _label(lines)
        panel.plot(0, 0, marker="+", color="white", markersize=9, markeredgewidth=1.6)
        panel.plot(0, 0, marker="+", color="black", markersize=8, markeredgewidth=0.8)
        panel.set_title(plain_text(result.label))
        panel.set_aspect("equal" if len({result.settings.x, result.settings.y}) == 1 else "auto")
        panel.spines[:].set_visible(True)
    settings = [result.settings for result in results]
    for panel in panels[:, 0]:
        panel.set_ylabel(axis_label("y direction", settings))
    for column in range(columns):
        lowest = max(row for row in range(rows) if row * columns + column < len(results))
        panels[lowest, column].set_xlabel(axis_label("x direction", settings))
        panels[lowest, column].tick_params(labelbottom=True)
    bar = page.colorbar(ScalarMappable(scale, MAP), ax=panels, extend="neither", aspect=30)
    bar.set_label(_loss_label(results))
    _plain_ticks(bar.ax, scale)
    return page


def surfaces_3d(results: Sequence[Surface]) -> Figure:
    """The same in three dimensions, on one height axis."""
    rows, columns = grid_shape(len(results))
    page = figure(3.1 * columns + 0.8, 2.6 * rows)
    scale, levels = shared_scale(results)
    lowest, highest = levels[0], levels[-1]
    log = isinstance(scale, LogNorm)
    bottom, top = np.log10([lowest, highest]) if log else (lowest, highest)
    panels = []
    for number, result in enumerate(results):
        panel = page.add_subplot(rows, columns, number + 1, projection="3d")
        panels.append(panel)
        grid_x, grid_y = np.meshgrid(result.settings.x.coordinates, result.settings.y.coordinates)
        loss = np.where(np.isfinite(result.loss), np.clip(result.loss, lowest, None), np.nan)
        height = np.log10(loss) if log else loss
        panel.plot_surface(
            grid_x,
            grid_y,
            height,
            facecolors=ScalarMappable(scale, MAP).to_rgba(loss),
            rcount=60,
            ccount=60,
            linewidth=0.1,
            edgecolor=(0, 0, 0, 0.15),
            shade=False,
        )
        panel.set_zlim(bottom, top)
        panel.set_title(plain_text(result.label), y=0.98)
        panel.set_xlabel("x", labelpad=-6)
        panel.set_ylabel("y", labelpad=-6)
        panel.set_zlabel(with_unit("loss", results), labelpad=-3)
        panel.tick_params(pad=-2, labelsize=7)
        for axis, ends in ((panel.xaxis, result.settings.x), (panel.yaxis, result.settings.y)):
            axis.set_ticks([ends.start, (ends.start + ends.stop) / 2, ends.stop])
        if log:
            panel.zaxis.set_major_locator(MaxNLocator(4, integer=True))
            panel.zaxis.set_major_formatter(FuncFormatter(lambda z, _: f"{10**z:g}"))
        panel.view_init(elev=28, azim=-55)
        panel.set_box_aspect((1, 1, 0.75), zoom=0.82)
    bar = page.colorbar(ScalarMappable(scale, MAP), ax=panels, shrink=0.7, aspect=30)
    bar.set_label(_loss_label(results))
    _plain_ticks(bar.ax, scale)
    return page


def shared_scale(results: Sequence[Surface], count: int = 16) -> tuple[Normalize, Array]:
    """One colour scale and contour levels for all; logarithmic if the losses ask for it."""
    values = np.concatenate([result.loss[np.isfinite(result.loss)] for result in results])
    if values.size == 0:
        return Normalize(0.0, 1.0), np.linspace(0.0, 1.0, count)
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # flat, but for rounding
        margin = max(0.5, 1e-3 * abs(low))
        low, high = low - margin, high + margin
    if low > 0 and high / low > LOG_RATIO:
        return LogNorm(low, high), np.geomspace(low, high, count)
    return Normalize(low, high), np.linspace(low, high, count)


def masked(loss: Array) -> np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]:
    """Losses that are not finite are left out and show as grey."""
    return np.ma.masked_invalid(loss)


def _loss_label(results: Sequence[Surface]) -> str:
    splits = sorted({result.split for result in results})
    missing = any(not np.isfinite(result.loss).all() for result in results)
    label = with_unit(f"{' and '.join(splits)} loss", results)
    return label + ("; grey: not finite" if missing else "")


def _label(lines: QuadContourSet) -> None:
    lines.axes.clabel(lines, fontsize=6, fmt=lambda value: f"{value:.2g}")


def _plain_ticks(axes: object, scale: Normalize) -> None:
    if isinstance(scale, LogNorm):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))  # type: ignore[attr-defined]
