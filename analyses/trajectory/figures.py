"""A training path over the contours of its plane, and how far the two losses differ."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from numpy.typing import NDArray

from analyses.drawing.lettering import plain_text
from analyses.drawing.numbers import short_number, with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.scales import masked, shared_scale
from analyses.drawing.style import MAP, figure, plain_log_ticks
from analyses.slices.result import Slice

PATH_COLOUR = "#D55E00"


def paths(results: Sequence[Slice], options: PlotOptions | None = None) -> Figure:
    """For each run the path on its plane, beside the losses and the distance by epoch."""
    rows = len(results)
    page = figure(8.6, 3.4 * rows)
    panels = page.subplots(rows, 2, squeeze=False, width_ratios=(1.15, 1))
    scale, levels = shared_scale([result.loss for result in results], options)
    for (plane, losses), result in zip(panels, results, strict=True):
        path = result.path
        plane.contourf(
            result.x, result.rows, masked(result.loss), levels=levels, norm=scale, cmap=MAP,
            extend="both", alpha=0.9,
        )  # fmt: skip
        lines = plane.contour(
            result.x, result.rows, masked(result.loss), levels=levels[::2], colors="white",
            linewidths=0.5,
        )  # fmt: skip
        plane.clabel(lines, fontsize=6, fmt=short_number)
        plane.plot(path["x"], path["y"], ".-", color="white", markersize=7, linewidth=2.2)
        plane.plot(path["x"], path["y"], ".-", color=PATH_COLOUR, markersize=5, linewidth=1.2)
        _name_epochs(plane, path)
        kinds = "component" if result.settings.directions == "pca" else "direction"
        shares = path["explained"] if kinds == "component" else (np.nan, np.nan)
        for axis, share, which in zip("xy", shares, ("first", "second"), strict=False):
            label = f"{which} {kinds}"
            label += "" if np.isnan(share) else f" ({100 * share:.1f}% of the variance)"
            getattr(plane, f"set_{axis}label")(label)
        plane.set_title(plain_text(result.label))
        plane.spines[:].set_visible(True)

        losses.plot(path["epoch"], path["loss"], color="#0072B2", label="saved network")
        losses.plot(
            path["epoch"], path["plane_loss"], color=PATH_COLOUR, linestyle="--",
            label="its projection on the plane",
        )  # fmt: skip
        if isinstance(scale, LogNorm):
            losses.set_yscale("log")
            plain_log_ticks(losses.yaxis)
        losses.set(xlabel="epoch", ylabel=with_unit(f"{result.split} loss", [result]))
        distance = losses.twinx()
        distance.plot(
            path["epoch"], path["distance"], color="0.55", linewidth=1.0, label="distance"
        )
        distance.set_ylabel("distance from the plane (2-norm)", color="0.45")
        distance.tick_params(axis="y", colors="0.45")
        distance.set_ylim(bottom=0)
        distance.spines["right"].set_visible(True)
        losses.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    bar = page.colorbar(
        ScalarMappable(scale, MAP), ax=list(panels[:, 0]), aspect=30, location="left"
    )
    bar.set_label(with_unit(f"{results[0].split} loss on the plane", results))
    return page


def _name_epochs(plane: Axes, path: dict[str, NDArray[Any]]) -> None:
    """The first and the last epoch by number."""
    for k in (0, len(path["epoch"]) - 1):
        plane.annotate(
            f"epoch {int(path['epoch'][k])}",
            (path["x"][k], path["y"][k]),
            textcoords="offset points",
            xytext=(4, 5),
            fontsize=7,
            color="white",
            path_effects=[_outline()],
        )


def _outline() -> AbstractPathEffect:
    return withStroke(linewidth=1.6, foreground="black")


def draw(results: Sequence[Slice], options: PlotOptions | None = None) -> dict[str, Figure]:
    """The path over the contours, and the losses of path and plane by epoch."""
    return {"trajectory": paths(results, options)}
