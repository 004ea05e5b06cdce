"""The picture of the behaviour between inputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analyses.drawing.lettering import add_legend
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import figure
from analyses.linearity.result import Linearity
from landscape.estimates import Proportion, half_width, intervals


def draw(results: Sequence[Linearity], options: PlotOptions | None = None) -> dict[str, Figure]:
    """A panel each for misses, loss and gradient, from one input to the other.

    The bands are 68 % intervals, Wilson's of misses and Student's t of the means.
    """
    page = figure(7.6, 2.9 + 0.18 * (len(results) > 3))
    panels = page.subplots(1, 3)
    handles: dict[str, Any] = {}
    for curve in curves_of(results, "mean loss", _mean_loss, has_bands=True):
        result, style = curve.result, curve.style
        shares = map(Proportion, result.missing.tolist(), result.missing_stderr.tolist())
        means = (
            (result.loss, result.loss_stderr),
            (result.gradient_norm, result.gradient_norm_stderr),
        )
        panel_curves = [(100 * result.missing, 100 * intervals(shares))]
        for mean, error in means:
            half = half_width(error, len(result.pairs) - 1)
            panel_curves.append((mean, np.stack([mean - half, mean + half])))
        for panel, (values, band) in zip(panels, panel_curves, strict=True):
            (handles[curve.name],) = panel.plot(result.t, values, **style)
            if curve.has_band:
                panel.fill_between(result.t, *band, color=style["color"], alpha=0.15, linewidth=0)
    panels[0].set_ylabel("misses (%)")
    panels[1].set_ylabel(with_unit("loss of the mixture", results))
    panels[2].set_ylabel(with_unit("‖∂ loss / ∂ input‖", results))
    for panel in panels:
        panel.set_ylim(bottom=0)
        panel.set_xlabel("share of the second input")
        panel.set_xticks([0, 0.5, 1], ["0", "½", "1"])
        panel.grid(axis="y", color="0.92")
    add_legend(page, handles, columns=6)
    return {"linearity": page}


def _mean_loss(result: Linearity) -> float:
    return float(np.nanmean(result.loss))
