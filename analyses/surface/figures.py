"""Pictures of surfaces: contours, filled and as lines, all checkpoints on one scale."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analyses.drawing.contour_labels import label_contours
from analyses.drawing.crowds import on_files
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.options import PlotOptions
from analyses.drawing.scales import masked, shared_scale, tell_if_linear
from analyses.drawing.style import colour_map
from analyses.replicates import examples_of
from analyses.surface.map_figures import convexity_map, error_map, profiles
from analyses.surface.panel_figures import loss_label, mark_centre, panels_of
from analyses.surface.perspective_figures import surfaces_3d
from analyses.surface.result import Surface

Array = NDArray[np.float64]


def draw(results: Sequence[Surface], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Contours and 3D surfaces on one scale, and maps of what else was measured.

    Args:
        results: surfaces, each a panel of every picture; of replicates the first one is.
        options: the scale and range of the loss.

    Returns:
        Figures by file name. Further splits, eigenvalues, interpolation errors and repeats have a
        picture each where the results have them.
    """
    options = options or PlotOptions()
    name = results[0].analysis
    spread = profiles(results) if any(result.repeats for result in results) else None
    results = examples_of(results)
    tell_if_linear([result.loss for result in results], options)
    filled = partial(contours, options=options, sharing=results)
    pages = {
        **on_files(name, results, filled),
        **on_files(f"{name}_lines", results, partial(filled, filled=False), most_files=1),
        **on_files(
            f"{name}_3d", results, partial(surfaces_3d, options=options, sharing=results),
            most_files=1,
        ),
    }  # fmt: skip
    for split in results[0].splits[1:]:
        if all(split in result.splits for result in results):
            pages |= on_files(f"{name}_{split}", results, partial(filled, split=split))
    if all("max_eig" in result.values for result in results):
        pages |= on_files(f"{name}_convexity", results, convexity_map)
    if any(result.errors for result in results):
        pages |= on_files(f"{name}_error", results, partial(error_map, sharing=results))
    if spread is not None:
        pages[f"{name}_repeats"] = spread
    return pages


def contours(
    results: Sequence[Surface],
    options: PlotOptions | None = None,
    *,
    split: str | None = None,
    filled: bool = True,
    sharing: Sequence[Surface] = (),
) -> Figure:
    """A panel for each checkpoint; the same colour is the same loss in all of them.

    Args:
        results: the surfaces.
        options: the scale and range of the loss.
        split: the split whose loss is shown; by default each result's own.
        filled: whether the contours are filled; lines otherwise.
        sharing: all the surfaces of the same scale, where there are more than these.
    """
    losses = [_losses(result, split) for result in results]
    scale, levels = shared_scale([_losses(other, split) for other in sharing or results], options)
    page, panels = panels_of(results)
    for panel, result, loss in zip(panels, results, losses, strict=True):
        xs, ys, shown = result.x, result.rows, masked(loss)
        if filled:
            panel.set_facecolor("0.85")
            panel.contourf(
                xs, ys, shown, levels=levels, norm=scale, cmap=colour_map(), extend="both"
            )
            lines = panel.contour(xs, ys, shown, levels=levels[::2], colors="white", linewidths=0.5)
        else:
            lines = panel.contour(
                xs, ys, shown, levels=levels, norm=scale, cmap=colour_map(), linewidths=0.9
            )
        label_contours(lines)
        mark_centre(panel)
    bar = page.colorbar(
        ScalarMappable(scale, colour_map()), ax=panels, extend=_beyond(scale, losses), aspect=30
    )
    bar.set_label(loss_label(results, split))
    if isinstance(scale, LogNorm):
        plain_log_ticks(bar.ax.yaxis)
    return page


def _losses(result: Surface, split: str | None) -> Array:
    return result.values[f"{split or result.split}_loss"]


def _beyond(scale: Normalize, losses: Sequence[Array]) -> str:
    """The ends of the colour bar that losses lie beyond, as matplotlib's ``extend``."""
    finite = np.concatenate([loss[np.isfinite(loss)] for loss in losses])
    assert scale.vmin is not None
    assert scale.vmax is not None
    below, above = bool((finite < scale.vmin).any()), bool((finite > scale.vmax).any())
    return {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]
