"""Pictures of similarity."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analyses.drawing.crowds import MOST_NAMED, is_crowd, on_files, tick_step
from analyses.drawing.lettering import add_legend, add_note, plain_text
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import colour_map, figure, grid_shape
from analyses.replicates import examples_of
from analyses.similarity.result import (
    MEASURES,
    Similarity,
    are_comparable,
    cka_map,
    map_pairs,
)
from landscape.measures.cka import cka

# Names of networks beside the cells of a small matrix, in characters.
LONGEST_BESIDE_A_CELL = 40
# Inches of a map of more networks than have a number each.
CROWDED = 8.0


def draw(results: Sequence[Similarity], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Maps of CKA between layers, CKA between networks, and the ratios after rescaling.

    Args:
        results: the similarities, all shown in each picture.
        options: not used; the scales are those of CKA and of ratios.

    Returns:
        Figures by file name. Networks are compared if there are several, on the same samples;
        ratios are shown if any network has a rescaling.
    """
    pairs = map_pairs(examples_of(results))
    pages = on_files("similarity", pairs, layer_maps)
    if len(results) > 1 and all(are_comparable(results[0], result) for result in results):
        pages["similarity-networks"] = network_map(results)
    if any(result.symmetries for result in results):
        pages["similarity-invariance"] = invariance(results)
    return pages


def layer_maps(pairs: Sequence[tuple[Similarity, Similarity]]) -> Figure:
    """CKA of all layers, a map for each network with the one that it is compared with."""
    rows, columns = grid_shape(len(pairs))
    page = figure(2.3 * max(columns, 2) + 0.7, 2.3 * rows)
    panels: Any = page.subplots(rows, columns, squeeze=False)
    for panel in panels.flat[len(pairs) :]:
        panel.set_axis_off()
    image: Any = None
    for panel, (result, compared) in zip(panels.flat, pairs, strict=False):
        image = panel.imshow(
            cka_map(result, compared), vmin=0, vmax=1, cmap=colour_map(), origin="lower"
        )
        ticks = np.unique(np.linspace(0, len(result.layers) - 1, 4).round().astype(int))
        panel.set_xticks(ticks, [str(k + 1) for k in ticks])
        panel.set_yticks(ticks, [str(k + 1) for k in ticks])
        panel.set(title=plain_text(result.label), xlabel="layer", ylabel="layer")
        if compared is not result:
            panel.set_xlabel(plain_text(f"layer of {compared.label}"))
    page.colorbar(image, ax=panels, label="CKA", shrink=0.8)
    return page


def network_map(results: Sequence[Similarity]) -> Figure:
    """CKA of the last layers of all networks, with the numbers as far as there is room for them."""
    count = len(results)
    size = CROWDED if is_crowd(count) else 1.4 + 0.55 * count
    page = figure(size + 1.0, size)
    panel = page.subplots()
    values = _last_layers(results)
    image = panel.imshow(values, vmin=0, vmax=1, cmap=colour_map())
    step = tick_step(count, 2 * MOST_NAMED)
    places = range(0, count, step)
    names = [plain_text(results[place].label, longest=LONGEST_BESIDE_A_CELL) for place in places]
    panel.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
    panel.set_yticks(places, names)
    if is_crowd(count):
        panel.tick_params(labelsize=5)
    if step > 1:
        add_note(page, f"All {count} networks in the order given; one name in {step} is written")
    if not is_crowd(count):
        for (k, j), value in np.ndenumerate(values):
            colour = "black" if value > 0.55 else "white"
            panel.text(j, k, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    page.colorbar(image, ax=panel, label="CKA of the last layers", shrink=0.8)
    return page


def _last_layers(results: Sequence[Similarity]) -> NDArray[np.float64]:
    """CKA of the last layers of each two networks, which is symmetric."""
    values = np.empty((len(results), len(results)))
    grams = [result.grams[-1].astype(np.float64) for result in results]
    for k, first in enumerate(grams):
        for j, second in enumerate(grams[: k + 1]):
            values[k, j] = values[j, k] = cka(first, second)
    return values


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
            markersize=curve.marker_size(4.5),
            elinewidth=curve.style.get("linewidth"),
            linestyle="none",
            **curve.mark_style,
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
