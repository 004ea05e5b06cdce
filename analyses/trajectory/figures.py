"""A training path over the contours of its plane, and how far the two losses differ."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from analyses.drawing.contour_labels import label_contours
from analyses.drawing.crowds import on_files
from analyses.drawing.lettering import plain_text
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.scales import masked, shared_scale, tell_if_linear
from analyses.drawing.style import colour, colour_map, figure
from analyses.replicates import examples_of
from analyses.saved_epochs import what_is_counted
from analyses.trajectory.result import Trajectory

# In a figure, which are two pages long.
MOST_RUNS = 6
# By their number in the palette.
LOSS_COLOUR, PATH_COLOUR = 0, 1


def draw(results: Sequence[Trajectory], options: PlotOptions | None = None) -> dict[str, Figure]:
    """For each run the path over the contours, beside the losses and the distance by epoch.

    Of replicates the first is shown.
    """
    results = examples_of(results)
    tell_if_linear([result.loss for result in results], options or PlotOptions())
    drawn = partial(_draw_runs, options=options, sharing=results)
    return on_files("trajectory", results, drawn, MOST_RUNS)


def _draw_runs(
    results: Sequence[Trajectory], options: PlotOptions | None, sharing: Sequence[Trajectory]
) -> Figure:
    """A row for each run; ``sharing`` are all runs on the same scale."""
    rows = len(results)
    page = figure(8.6, 3.4 * rows)
    panels = page.subplots(rows, 2, squeeze=False, width_ratios=(1.15, 1))
    scale, levels = shared_scale([result.loss for result in sharing], options)
    for (plane, losses), result in zip(panels, results, strict=True):
        _draw_plane(plane, result, scale, levels)
        _draw_losses(losses, result, is_logarithmic=isinstance(scale, LogNorm))
    bar = page.colorbar(
        ScalarMappable(scale, colour_map()), ax=list(panels[:, 0]), aspect=30, location="left"
    )
    bar.set_label(with_unit(f"{plain_text(results[0].split)} loss on the plane", results))
    return page


def _draw_plane(
    plane: Axes, result: Trajectory, scale: Normalize, levels: NDArray[np.float64]
) -> None:
    """The contours of the plane, and the path over them."""
    path, loss = result.path, masked(result.loss)
    plane.contourf(
        result.x,
        result.rows,
        loss,
        levels=levels,
        norm=scale,
        cmap=colour_map(),
        extend="both",
        alpha=0.9,
    )
    lines = plane.contour(
        result.x, result.rows, loss, levels=levels[::2], colors="white", linewidths=0.5
    )
    label_contours(lines)
    plane.plot(path["x"], path["y"], ".-", color="white", markersize=7, linewidth=2.2)
    plane.plot(path["x"], path["y"], ".-", color=colour(PATH_COLOUR), markersize=5, linewidth=1.2)
    _name_epochs(plane, path, what_is_counted([result]))
    is_pca = result.settings.directions == "pca"
    shares = path["explained"] if is_pca else (np.nan, np.nan)
    for axis, share, rank in zip("xy", shares, ("first", "second"), strict=False):
        label = f"{rank} {'component' if is_pca else 'direction'}"
        label += "" if np.isnan(share) else f" ({100 * share:.1f}% of the variance)"
        getattr(plane, f"set_{axis}label")(label)
    plane.set_title(plain_text(result.label))
    plane.spines[:].set_visible(True)


def _draw_losses(losses: Axes, result: Trajectory, *, is_logarithmic: bool) -> None:
    """The losses of the saved networks and of their projections, and the distance, by epoch."""
    path = result.path
    losses.plot(path["epoch"], path["loss"], color=colour(LOSS_COLOUR), label="saved network")
    losses.plot(
        path["epoch"], path["plane_loss"], color=colour(PATH_COLOUR), linestyle="--",
        label="its projection on the plane",
    )  # fmt: skip
    if is_logarithmic:
        losses.set_yscale("log")
        plain_log_ticks(losses.yaxis)
    loss = f"{plain_text(result.split)} loss"
    losses.set(xlabel=what_is_counted([result]), ylabel=with_unit(loss, [result]))
    distance = losses.twinx()
    distance.plot(path["epoch"], path["distance"], color="0.55", linewidth=1.0, label="distance")
    distance.set_ylabel("distance from the plane (2-norm)", color="0.45")
    distance.tick_params(axis="y", colors="0.45")
    distance.set_ylim(bottom=0)
    distance.spines["right"].set_visible(True)
    losses.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def _name_epochs(plane: Axes, path: dict[str, NDArray[Any]], counted: str) -> None:
    """Write the numbers of the first and the last epoch beside them."""
    for k in (0, len(path["epoch"]) - 1):
        plane.annotate(
            f"{counted if ' ' not in counted else 'at'} {int(path['epoch'][k])}",
            (path["x"][k], path["y"][k]),
            textcoords="offset points",
            xytext=(4, 5),
            fontsize=7,
            color="white",
            path_effects=[withStroke(linewidth=1.6, foreground="black")],
        )
