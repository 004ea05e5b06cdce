"""Pictures of attention: maps beside the pictures they are of, heads, and entropy by layer."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analyses.attention.result import Attention, Maps
from analyses.drawing.crowds import MOST_FILES, on_files
from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import colour_map, figure
from analyses.replicates import examples_of
from landscape.estimates import half_width

Array = NDArray[np.float64]
LabelledMaps = tuple[str, Maps]

# If the largest weight exceeds the 99th percentile by this factor, the colours end at that
# percentile; otherwise all other cells would be dark.
OUTLYING = 2.0
MOST_HEADS_IN_A_ROW = 12
MOST_NETWORKS = 12  # in a figure
MOST_PICTURES = 12  # on a page; a result may hold more
INCHES_PER_LETTER = 0.075
INCHES_PER_LINE = 0.17
LEAST_HEIGHT = 2.0  # inches, which the label of the colour bar takes


def draw(results: Sequence[Attention], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Maps, rollout and heads of the results that have maps, and the entropies of all results."""
    with_maps = [result for result in results if result.maps is not None]
    mapped = [
        (result.label, result.maps) for result in examples_of(with_maps) if result.maps is not None
    ]
    pages: dict[str, Figure] = {}
    if mapped:
        # Weights are multiplied by the number of patches where grids differ, to be comparable.
        alike = len({maps.rolled.shape[1:] for _, maps in mapped}) == 1
        factor = "" if alike else " × patches"

        def scaled(weights: Array) -> Array:
            return weights if alike else weights * math.prod(weights.shape[-2:])

        raw = f"attention weight{factor}\nin the last layer"
        rollout = f"attention rollout{factor}"

        def add(
            name: str, draw_some: Any, weights_of: Callable[[Maps], Array], words: str, files: int
        ) -> None:
            drawn = partial(draw_some, weights_of=weights_of, quantity=words, sharing=mapped)
            pages.update(on_files(name, mapped, drawn, MOST_NETWORKS, files))

        add("attention", _maps, lambda maps: scaled(maps.mean), raw, MOST_FILES)
        add("attention-rollout", _maps, lambda maps: scaled(maps.rolled), rollout, 1)
        add("attention-heads", _heads, lambda maps: scaled(maps.raw[0]), raw, 1)
    return {**pages, "attention-entropy": _entropies(results)}


def _maps(
    mapped: Sequence[LabelledMaps],
    weights_of: Callable[[Maps], Array],
    quantity: str,
    sharing: Sequence[LabelledMaps],
) -> Figure:
    """A row for each of the first pictures: the picture, then the map of each checkpoint.

    Where a checkpoint was shown other pictures than the one before it, these have a column too.
    ``sharing`` are all maps on the same scale of colours.
    """
    columns: list[tuple[str, Maps, bool]] = []
    for number, (label, maps) in enumerate(mapped):
        if not number or not np.array_equal(maps.pixels, mapped[number - 1][1].pixels):
            columns.append(("input", maps, True))
        columns.append((label, maps, False))
    rows = min(MOST_PICTURES, max(len(maps.indices) for _, maps in mapped))
    side = min(1.3, 9.0 / len(columns))
    letters = max(int(side / INCHES_PER_LETTER), 1)
    titles = [plain_text(label, letters) for label, _, _ in columns]
    lines = 1 + max(title.count("\n") for title in titles)
    height = side * rows + INCHES_PER_LINE * lines + 0.2
    page = figure(side * len(columns) + 1.2, max(height, LEAST_HEIGHT))
    page.set_layout_engine("compressed")  # the panels are square
    panels = page.subplots(rows, len(columns), squeeze=False)
    scale, beyond = _colour_scale([weights_of(maps)[:MOST_PICTURES] for _, maps in sharing])
    for (_, maps, is_input), title, cells in zip(columns, titles, panels.T, strict=True):
        cells[0].set_title(title)
        for row, panel in enumerate(cells):
            if row >= len(maps.indices):
                panel.set_axis_off()
            elif is_input:
                _show_picture(panel, maps, row)
                if all(len(name) * INCHES_PER_LETTER < side for name in maps.classes):
                    panel.set_ylabel(plain_text(maps.classes[row]))
            else:
                _show_map(panel, weights_of(maps)[row], scale)
    bar = page.colorbar(ScalarMappable(scale, colour_map()), ax=panels, extend=beyond, aspect=30)
    bar.set_label(_with_query(quantity, mapped))
    return page


def _heads(
    mapped: Sequence[LabelledMaps],
    weights_of: Callable[[Maps], Array],
    quantity: str,
    sharing: Sequence[LabelledMaps],
) -> Figure:
    """The first picture and the map of each head, in one or more rows for each checkpoint.

    ``sharing`` are all maps on the same scale of colours.
    """
    most = max(maps.raw.shape[1] for _, maps in mapped)
    columns = min(most, MOST_HEADS_IN_A_ROW)
    starts = [
        (label, maps, start)
        for label, maps in mapped
        for start in range(0, maps.raw.shape[1], columns)
    ]
    side = min(1.2, 9.0 / (columns + 1))
    longest = max(len(plain_text(label)) for label, _ in mapped) * INCHES_PER_LETTER
    height = (side + 0.15) * len(starts) + 0.2
    page = figure(side * (columns + 1) + longest + 1.2, max(height, LEAST_HEIGHT))
    panels = page.subplots(len(starts), columns + 1, squeeze=False)
    scale, beyond = _colour_scale([weights_of(maps) for _, maps in sharing])
    for (label, maps, start), row in zip(starts, panels, strict=True):
        shown = weights_of(maps)[start : start + columns]
        if start == 0:
            _show_picture(row[0], maps, 0)
            row[0].set_ylabel(plain_text(label), rotation=0, ha="right", va="center")
        for panel in [*row[: 1 if start else 0], *row[1 + len(shown) :]]:
            panel.set_axis_off()
        for head, (panel, weights) in enumerate(zip(row[1:], shown, strict=False), start + 1):
            _show_map(panel, weights, scale)
            panel.set_title(f"head {head}" if columns <= 6 else str(head), fontsize=7, pad=2)
    bar = page.colorbar(ScalarMappable(scale, colour_map()), ax=panels, extend=beyond, aspect=30)
    bar.set_label(_with_query(quantity, mapped))
    return page


def _entropies(results: Sequence[Attention]) -> Figure:
    """The entropy by layer; a panel for each set of layers, shared by one architecture."""
    groups: dict[tuple[tuple[str, ...], tuple[int, ...]], list[int]] = {}
    for index, result in enumerate(results):
        groups.setdefault((result.layers, tuple(result.keys.tolist())), []).append(index)
    columns = min(len(groups), 3)
    rows = math.ceil(len(groups) / columns)
    page = figure(2.8 * columns + (1.2 if columns == 1 else 0.5), 2.5 * rows + 0.6)
    panels = page.subplots(rows, columns, sharey=True, squeeze=False)
    curves = curves_of(results, "entropy", _mean_entropy, has_bands=True)
    handles: dict[str, Any] = {}
    for panel in panels.flat[len(groups) :]:
        panel.set_axis_off()
    for panel, ((layers, keys), members) in zip(panels.flat, groups.items(), strict=False):
        numbers = np.arange(1, len(layers) + 1)
        (maximum,) = panel.plot(numbers, np.log(keys), color="0.4", linestyle=(0, (4, 3)), lw=1.0)
        for index in members:
            result, style = results[index], curves[index].style
            low, high = np.nanmin(result.entropy, axis=1), np.nanmax(result.entropy, axis=1)
            if curves[index].is_named:
                panel.fill_between(numbers, low, high, color=style["color"], alpha=0.13, lw=0)
            handles[curves[index].name] = panel.errorbar(
                numbers,
                result.by_layer,
                yerr=np.nan_to_num(
                    half_width(result.layer_stderr, result.provenance.num_samples - 1)
                ),
                marker="o",
                markersize=curves[index].marker_size(3.5),
                **style,
            )
        panel.set_title(f"{len(layers)} layers, {_range(keys)} keys")
        panel.set_xlabel("layer")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        panel.set_xlim(0.7, len(layers) + 0.3)
        panel.set_ylim(bottom=0)
        panel.grid(axis="y", color="0.92")
    for row in panels:
        row[0].set_ylabel("attention entropy (nats)")
    ordered = {curve.name: handles[curve.name] for curve in curves}
    add_legend(page, {**ordered, "log(keys)": maximum}, columns=6)
    return page


def _mean_entropy(result: Attention) -> float:
    return float(np.nanmean(result.entropy))


def _range(keys: Sequence[int]) -> str:
    return str(keys[0]) if len(set(keys)) == 1 else f"{min(keys)} to {max(keys)}"


def _colour_scale(maps: Sequence[Array]) -> tuple[Normalize, str]:
    """Colours from 0 to the largest weight that is not outlying, and how the bar is extended."""
    values = np.concatenate([weights.ravel() for weights in maps])
    usual, largest = np.percentile(values, 99), values.max()
    if largest > OUTLYING * usual > 0:
        return Normalize(0.0, float(usual)), "max"
    return Normalize(0.0, float(largest)), "neither"


def _show_picture(panel: Axes, maps: Maps, row: int) -> None:
    pixels = maps.pixels[row]
    if pixels.shape[-1] == 1:
        panel.imshow(pixels[..., 0], cmap="gray", vmin=0, vmax=255)
    else:
        panel.imshow(pixels)
    _frame(panel)


def _show_map(panel: Axes, weights: Array, scale: Normalize) -> None:
    panel.imshow(weights, norm=scale, cmap=colour_map())
    _frame(panel)


def _frame(panel: Axes) -> None:
    panel.set_xticks([])
    panel.set_yticks([])
    panel.spines[:].set_visible(True)


def _with_query(quantity: str, mapped: Sequence[LabelledMaps]) -> str:
    queries = " or\n".join(sorted({maps.query for _, maps in mapped}))
    return f"{quantity}\n({queries})"
