"""Pictures of similarity."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.options import PlotOptions
from analyses.drawing.style import MAP, figure, grid_shape, line_styles, plain_log_ticks
from analyses.similarity.result import (
    MEASURES,
    Similarity,
    are_comparable,
    cka_map,
    first_of_each,
    of_layers,
)


def layer_maps(results: Sequence[Similarity]) -> Figure:
    """CKA of all layers, a map for each network."""
    rows, columns = grid_shape(len(results))
    page = figure(2.3 * max(columns, 2) + 0.7, 2.3 * rows)
    panels: Any = page.subplots(rows, columns, squeeze=False)
    for panel in panels.flat[len(results) :]:
        panel.set_axis_off()
    image: Any = None
    for panel, (one, other) in zip(panels.flat, first_of_each(results), strict=False):
        image = panel.imshow(cka_map(one, other), vmin=0, vmax=1, cmap=MAP, origin="lower")
        ticks = np.unique(np.linspace(0, len(one.layers) - 1, 4).round().astype(int))
        panel.set_xticks(ticks, [str(k + 1) for k in ticks])
        panel.set_yticks(ticks, [str(k + 1) for k in ticks])
        panel.set_ylabel("layer")
        if other is one:
            panel.set(title=plain_text(one.label), xlabel="layer")
        else:
            panel.set_title(plain_text(f"{one.label}"))
            panel.set_xlabel(plain_text(f"layer of {other.label}"))
    page.colorbar(image, ax=panels, label="CKA", shrink=0.8)
    return page


def network_map(results: Sequence[Similarity]) -> Figure:
    """CKA of the last layers of all networks, with the numbers."""
    size = 1.4 + 0.55 * len(results)
    page = figure(size + 1.0, size)
    panel = page.subplots()
    values = np.array([[of_layers(a, b, -1, -1)[0] for b in results] for a in results])
    image = panel.imshow(values, vmin=0, vmax=1, cmap=MAP)
    names = [plain_text(one.label) for one in results]
    panel.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    panel.set_yticks(range(len(names)), names)
    for (k, j), value in np.ndenumerate(values):
        colour = "black" if value > 0.55 else "white"
        panel.text(j, k, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    page.colorbar(image, ax=panel, label="CKA of the last layers", shrink=0.8)
    return page


def invariance(results: Sequence[Similarity]) -> Figure:
    """Each measure after the rescalings relative to before."""
    shown = [one for one in results if one.symmetries]
    page = figure(5.8, 2.6)
    panel = page.subplots()
    handles: dict[str, Any] = {}
    offsets = np.linspace(-0.25, 0.25, len(shown)) if len(shown) > 1 else np.zeros(1)
    styles = line_styles(len(results))
    for one, offset in zip(shown, offsets, strict=True):
        ratios = np.abs(one.ratios)
        handles[one.label] = panel.errorbar(
            ratios[:, 0],
            np.arange(len(MEASURES)) + offset,
            xerr=np.minimum(np.nan_to_num(ratios[:, 1]), 0.9 * np.nan_to_num(ratios[:, 0])),
            marker="o",
            markersize=4.5,
            linestyle="none",
            color=styles[results.index(one)]["color"],
        )
    panel.axvline(1, color="0.5", linewidth=0.8)
    panel.set_yticks(range(len(MEASURES)), list(MEASURES))
    panel.set_ylim(len(MEASURES) - 0.5, -0.5)
    panel.set_xscale("log")
    plain_log_ticks(panel.xaxis)
    panel.set_xlabel("after / before rescaling, the function being the same")
    panel.grid(axis="x", color="0.92")
    add_legend(page, handles)
    return page


def draw(results: Sequence[Similarity], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Maps of CKA, the last layers of all networks, and the ratios."""
    found = {"similarity": layer_maps(results)}
    if len(results) > 1 and all(are_comparable(results[0], one) for one in results):
        found["similarity-networks"] = network_map(results)
    if any(one.symmetries for one in results):
        found["similarity-invariance"] = invariance(results)
    return found
