"""Figures with a panel for each plane, and what they call its loss."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.drawing.lettering import plain_text
from analyses.drawing.numbers import with_unit
from analyses.drawing.style import figure, grid_shape
from analyses.slices.settings import axis_label
from analyses.surface.result import Surface


def panels_of(results: Sequence[Surface]) -> tuple[Figure, list[Axes]]:
    """A figure with an empty panel for each plane, titled and labelled."""
    rows, columns = grid_shape(len(results))
    page = figure(2.5 * columns + 1.0, 2.4 * rows + 0.4)
    same = len({(r.x[0], r.x[-1], *_ends(r)) for r in results}) == 1
    panels = page.subplots(rows, columns, sharex=same, sharey=same, squeeze=False)
    for panel in panels.flat[len(results) :]:
        panel.set_axis_off()
    settings = [result.settings for result in results]
    for number, result in enumerate(results):
        panel = panels.flat[number]
        panel.set_title(plain_text(result.label))
        panel.set_xlim(result.x[0], result.x[-1])
        panel.set_ylim(*_ends(result))
        alike = (result.x[0], result.x[-1]) == _ends(result)
        panel.set_aspect("equal" if same and alike else "auto")
        panel.spines[:].set_visible(True)
        if number % columns == 0:
            panel.set_ylabel(axis_label("y direction", settings))
        if number + columns >= len(results):
            panel.set_xlabel(axis_label("x direction", settings))
            panel.tick_params(labelbottom=True)
    return page, list(panels.flat[: len(results)])


def mark_centre(panel: Axes) -> None:
    """Mark the network itself with a cross."""
    panel.plot(0, 0, marker="+", color="white", markersize=9, markeredgewidth=1.6)
    panel.plot(0, 0, marker="+", color="black", markersize=8, markeredgewidth=0.8)


def loss_label(results: Sequence[Surface], split: str | None = None) -> str:
    """The name of the loss with its splits and unit, and what grey means where it is shown."""
    splits = [split] if split else sorted({result.split for result in results})
    missing = any(not np.isfinite(result.loss).all() for result in results)
    label = with_unit(f"{plain_text(' and '.join(splits))} loss", results)
    return label + ("; grey: not finite" if missing else "")


def _ends(result: Surface) -> tuple[float, float]:
    return float(result.rows[0]), float(result.rows[-1])
