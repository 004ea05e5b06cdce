"""Pictures of similarity."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import MAP, figure, grid_shape, plain_log_ticks
from analyses.replicates import examples_of
from analyses.similarity.result import (
    MEASURES,
    Similarity,
    are_comparable,
    cka_map,
    layer_cka,
    map_pairs,
)

# Names of networks beside the cells of a small matrix, in characters.
LONGEST_BESIDE_A_CELL = 24


def draw(results: Sequence[Similarity], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Maps of CKA between layers, CKA between networks, and the ratios after rescaling.

    Args:
        results: the similarities, all shown in each picture.
        options: not used; the scales are those of CKA and of ratios.

    Returns:
        Figures by file name. Networks are compared if there are several, on the same samples;
        ratios are shown if any network has a rescaling.
    """
    pages = {"similarity": layer_maps(results)}
    if len(results) > 1 and all(are_comparable(results[0], result) for result in results):
        pages["similarity-networks"] = network_map(results)
    if any(result.symmetries for result in results):
        pages["similarity-invariance"] = invariance(results)
    return pages


def layer_maps(results: Sequence[Similarity]) -> Figure:
    """CKA of all layers, a map for each network; of replicates for the first."""
    results = examples_of(results)
    rows, columns = grid_shape(len(results))
    page = figure(2.3 * max(columns, 2) + 0.7, 2.3 * rows)
    panels: Any = page.subplots(rows, columns, squeeze=False)
    for panel in panels.flat[len(results) :]:
        panel.set_axis_off()
    image: Any = None
    for panel, (result, compared) in zip(panels.flat, map_pairs(results), strict=False):
        image = panel.imshow(cka_map(result, compared), vmin=0, vmax=1, cmap=MAP, origin="lower")
        ticks = np.unique(np.linspace(0, len(result.layers) - 1, 4).round().astype(int))
        panel.set_xticks(ticks, [str(k + 1) for k in ticks])
        panel.set_yticks(ticks, [str(k + 1) for k in ticks])
        panel.set(title=plain_text(result.label), xlabel="layer", ylabel="layer")
        if compared is not result:
            panel.set_xlabel(plain_text(f"layer of {compared.label}"))
    page.colorbar(image, ax=panels, label="CKA", shrink=0.8)
    return page


def network_map(results: Sequence[Similarity]) -> Figure:
    """CKA of the last layers of all networks, with the numbers."""
    size = 1.4 + 0.55 * len(results)
    page = figure(size + 1.0, size)
    panel = page.subplots()
    values = np.array([[layer_cka(a, b, -1, -1)[0] for b in results] for a in results])
    image = panel.imshow(values, vmin=0, vmax=1, cmap=MAP)
    names = [plain_text(result.label, longest=LONGEST_BESIDE_A_CELL) for result in results]
    panel.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    panel.set_yticks(range(len(names)), names)
    for (k, j), value in np.ndenumerate(values):
        colour = "black" if value > 0.55 else "white"
        panel.text(j, k, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    page.colorbar(image, ax=panel, label="CKA of the last layers", shrink=0.8)
    return page


def invariance(results: Sequence[Similarity]) -> Figure:
    """Each measure after the rescalings relative to before."""
    page = figure(5.8, 2.6)
    panel = page.subplots()
    handles: dict[str, Any] = {}
    for curve in curves_of(results):
        result = curve.result
        if not result.symmetries:
            continue
        ratios = np.abs(result.ratios)
        handles[curve.name] = panel.errorbar(
            ratios[:, 0],
            np.arange(len(MEASURES)) + curve.offset,
            xerr=np.minimum(np.nan_to_num(ratios[:, 1]), 0.9 * np.nan_to_num(ratios[:, 0])),
            marker="o",
            markersize=4.5,
            linestyle="none",
            color=curve.colour,
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
