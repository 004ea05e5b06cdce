"""Surfaces in perspective: all checkpoints on one scale of heights and one of colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from analyses.drawing.lettering import plain_text
from analyses.drawing.log_ticks import exponent_ticks, plain_log_ticks
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.scales import shared_scale
from analyses.drawing.style import colour_map, figure, grid_shape
from analyses.surface.panel_figures import loss_label
from analyses.surface.result import Surface

Array = NDArray[np.float64]

# Rows and columns of a grid that are drawn; more facets could not be told apart.
MOST_LINES = 61


@dataclass(frozen=True)
class Heights:
    """The scale that surfaces share: their colours, and the range of their heights in losses."""

    colours: Normalize
    lowest: float
    highest: float

    @property
    def is_log(self) -> bool:
        """Whether heights are logarithms to base 10 of the losses."""
        return isinstance(self.colours, LogNorm)


def shared_heights(results: Sequence[Surface], options: PlotOptions | None = None) -> Heights:
    """One scale for all of the results."""
    colours, levels = shared_scale([result.loss for result in results], options)
    return Heights(colours, float(levels[0]), float(levels[-1]))


def surfaces_3d(
    results: Sequence[Surface],
    options: PlotOptions | None = None,
    sharing: Sequence[Surface] = (),
) -> Figure:
    """A panel for each checkpoint, with one scale of heights.

    Args:
        results: the surfaces.
        options: the scale and range of the loss.
        sharing: all the surfaces of the same scale, where there are more than these.
    """
    rows, columns = grid_shape(len(results))
    page = figure(3.1 * columns + 0.8, 2.6 * rows)
    heights = shared_heights(sharing or results, options)
    panels = []
    for number, result in enumerate(results):
        panel = page.add_subplot(rows, columns, number + 1, projection="3d")
        panels.append(panel)
        _draw_surface(panel, result, heights)
        panel.set_title(plain_text(result.label), y=0.98)
        panel.set_xlabel("x", labelpad=-6)
        panel.set_ylabel("y", labelpad=-6)
        panel.set_zlabel(with_unit("loss", results), labelpad=-3)
        panel.tick_params(pad=-2, labelsize=7)
        panel.set_box_aspect((1, 1, 0.75), zoom=0.82)
    bar = page.colorbar(
        ScalarMappable(heights.colours, colour_map()), ax=panels, shrink=0.7, aspect=30
    )
    bar.set_label(loss_label(results))
    if heights.is_log:
        plain_log_ticks(bar.ax.yaxis)
    return page


def surface_tile(result: Surface, heights: Heights) -> Figure:
    """A surface alone, small and without a title, to stand beside others of the same heights."""
    page = Figure(figsize=(2.2, 1.85))
    panel: Any = page.add_axes((0.0, 0.05, 0.92, 0.95), projection="3d")
    _draw_surface(panel, result, heights)
    panel.tick_params(pad=-3, labelsize=8)
    panel.zaxis.set_tick_params(pad=1)
    panel.set_box_aspect((1, 1, 0.75), zoom=1.0)
    return page


def heights_bar(results: Sequence[Surface], heights: Heights) -> Figure:
    """The scale of tiles: a colour bar that lies, with the name of the loss."""
    page = figure(4.4, 0.56)
    bar = page.colorbar(
        ScalarMappable(heights.colours, colour_map()), cax=page.subplots(), orientation="horizontal"
    )
    bar.set_label(loss_label(results))
    if heights.is_log:
        plain_log_ticks(bar.ax.xaxis)
    return page


def drawn_lines(coordinates: Array) -> NDArray[np.int64]:
    """The rows or columns of a grid that are drawn: even steps from the one nearest to 0, and ends.

    Args:
        coordinates: of all, in increasing order.
    """
    count = len(coordinates)
    step = math.ceil((count - 1) / (MOST_LINES - 1))
    centre = int(np.abs(coordinates).argmin())
    return np.unique([0, *range(centre % step, count, step), count - 1])


def _draw_surface(panel: Any, result: Surface, heights: Heights) -> None:
    """Draw a surface with its ticks on axes of three dimensions, which have no types."""
    bottom, top = heights.lowest, heights.highest
    rows, columns = drawn_lines(result.rows), drawn_lines(result.x)
    grid_x, grid_y = np.meshgrid(result.x[columns], result.rows[rows])
    kept = result.loss[np.ix_(rows, columns)]
    loss = np.where(np.isfinite(kept), np.clip(kept, bottom, top), np.nan)
    shown = np.log10(loss) if heights.is_log else loss
    # A facet has one colour, that of the mean height of its corners.
    middle = (shown[:-1, :-1] + shown[1:, :-1] + shown[:-1, 1:] + shown[1:, 1:]) / 4
    colours = ScalarMappable(heights.colours, colour_map())
    panel.plot_surface(
        grid_x,
        grid_y,
        shown,
        facecolors=colours.to_rgba(10**middle if heights.is_log else middle),
        rstride=1,
        cstride=1,
        linewidth=0.1,
        edgecolor=(0, 0, 0, 0.15),
        shade=False,
    )
    for axis, along in ((panel.xaxis, result.x), (panel.yaxis, result.rows)):
        axis.set_ticks([along[0], (along[0] + along[-1]) / 2, along[-1]])
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}"))
    if heights.is_log:
        panel.set_zlim(np.log10(bottom), np.log10(top))
        exponent_ticks(panel.zaxis)
    else:
        panel.set_zlim(bottom, top)
    panel.view_init(elev=28, azim=-55)
