"""Pictures of attention: maps beside the pictures looked at, heads, and entropy by layer."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analyses.attention.result import Attention, Maps
from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.options import PlotOptions
from analyses.drawing.style import MAP, figure, line_styles

Array = NDArray[np.float64]
Mapped = tuple[str, Maps]

# If a few cells are this much above the rest, they share a colour; the rest would all be dark.
OUTLYING = 2.0
MOST_HEADS_IN_A_ROW = 12
MOST_PICTURES = 12  # on a page; a result may hold more
INCHES_PER_LETTER = 0.075
LOWEST = 2.0  # inches, that the label of the colours takes


def all_figures(results: Sequence[Attention]) -> dict[str, Figure]:
    """Every picture that the results hold something for, by file name."""
    mapped = [(one.label, one.maps) for one in results if one.maps is not None]
    pages = {}
    if mapped:
        # Weights of fewer patches are larger by that alone.
        alike = len({maps.rolled.shape[1:] for _, maps in mapped}) == 1
        by = "" if alike else " × patches"

        def scaled(weights: Array) -> Array:
            return weights if alike else weights * math.prod(weights.shape[-2:])

        last = f"attention weight{by}\nin the last layer"
        pages["attention"] = maps_by_picture(mapped, lambda maps: scaled(maps.mean), last)
        pages["attention-rollout"] = maps_by_picture(
            mapped, lambda maps: scaled(maps.rolled), f"attention rollout{by}"
        )
        pages["attention-heads"] = heads(mapped, lambda maps: scaled(maps.raw[0]), last)
    return {**pages, "attention-entropy": entropy_by_layer(results)}


def maps_by_picture(mapped: Sequence[Mapped], of: Callable[[Maps], Array], what: str) -> Figure:
    """A row for each of the first pictures: what was shown, then the map of each checkpoint.

    Checkpoints that were shown other pictures than the one before them have a column of their
    own for these.
    """
    columns: list[tuple[str, Maps, bool]] = []
    for number, (label, maps) in enumerate(mapped):
        if not number or not np.array_equal(maps.pixels, mapped[number - 1][1].pixels):
            columns.append(("input", maps, True))
        columns.append((label, maps, False))
    rows = min(MOST_PICTURES, max(len(maps.indices) for _, maps in mapped))
    side = min(1.3, 9.0 / len(columns))
    longest = max(len(label) for label, _, _ in columns) * INCHES_PER_LETTER
    upright = longest > side
    height = side * rows + (longest if upright else 0) + 0.4
    page = figure(side * len(columns) + 1.2, max(height, LOWEST))
    panels = page.subplots(rows, len(columns), squeeze=False)
    scale, beyond = _scale([of(maps)[:rows] for _, maps in mapped])
    for (label, maps, is_input), cells in zip(columns, panels.T, strict=True):
        cells[0].set_title(plain_text(label), rotation=90 if upright else 0)
        for row, panel in enumerate(cells):
            if row >= len(maps.indices):
                panel.set_axis_off()
            elif is_input:
                _show_picture(panel, maps, row)
                if all(len(name) * INCHES_PER_LETTER < side for name in maps.classes):
                    panel.set_ylabel(plain_text(maps.classes[row]))
            else:
                _show_map(panel, of(maps)[row], scale)
    bar = page.colorbar(ScalarMappable(scale, MAP), ax=panels, extend=beyond, aspect=30)
    bar.set_label(_with_query(what, mapped))
    return page


def heads(mapped: Sequence[Mapped], of: Callable[[Maps], Array], what: str) -> Figure:
    """The first picture and the map of each head, in a row or more for each checkpoint."""
    most = max(maps.raw.shape[1] for _, maps in mapped)
    columns = min(most, MOST_HEADS_IN_A_ROW)
    starts = [
        (label, maps, start)
        for label, maps in mapped
        for start in range(0, maps.raw.shape[1], columns)
    ]
    side = min(1.2, 9.0 / (columns + 1))
    longest = max(len(label) for label, _ in mapped) * INCHES_PER_LETTER
    height = (side + 0.15) * len(starts) + 0.2
    page = figure(side * (columns + 1) + longest + 1.2, max(height, LOWEST))
    panels = page.subplots(len(starts), columns + 1, squeeze=False)
    scale, beyond = _scale([of(maps) for _, maps in mapped])
    for (label, maps, start), row in zip(starts, panels, strict=True):
        shown = of(maps)[start : start + columns]
        if start == 0:
            _show_picture(row[0], maps, 0)
            row[0].set_ylabel(plain_text(label), rotation=0, ha="right", va="center")
        for panel in [*row[: 1 if start else 0], *row[1 + len(shown) :]]:
            panel.set_axis_off()
        for head, (panel, weights) in enumerate(zip(row[1:], shown, strict=False), start + 1):
            _show_map(panel, weights, scale)
            panel.set_title(f"head {head}" if columns <= 6 else str(head), fontsize=7, pad=2)
    bar = page.colorbar(ScalarMappable(scale, MAP), ax=panels, extend=beyond, aspect=30)
    bar.set_label(_with_query(what, mapped))
    return page


def entropy_by_layer(results: Sequence[Attention]) -> Figure:
    """A panel for each set of layers, so that SAM and no SAM of one architecture share it."""
    groups: dict[tuple[tuple[str, ...], tuple[int, ...]], list[int]] = {}
    for position, one in enumerate(results):
        groups.setdefault((one.layers, tuple(one.keys.tolist())), []).append(position)
    columns = min(len(groups), 3)
    rows = math.ceil(len(groups) / columns)
    page = figure(2.8 * columns + (1.2 if columns == 1 else 0.5), 2.5 * rows + 0.6)
    panels = page.subplots(rows, columns, sharey=True, squeeze=False)
    styles = line_styles(len(results))
    labelled: dict[str, Any] = {}
    for panel in panels.flat[len(groups) :]:
        panel.set_axis_off()
    for panel, ((layers, keys), members) in zip(panels.flat, groups.items(), strict=False):
        numbers = np.arange(1, len(layers) + 1)
        (most,) = panel.plot(numbers, np.log(keys), color="0.4", linestyle=(0, (4, 3)), lw=1.0)
        for position in members:
            one, style = results[position], styles[position]
            low, high = np.nanmin(one.entropy, axis=1), np.nanmax(one.entropy, axis=1)
            panel.fill_between(numbers, low, high, color=style["color"], alpha=0.13, lw=0)
            labelled[one.label] = panel.errorbar(
                numbers,
                one.by_layer,
                yerr=np.nan_to_num(one.layer_stderr),
                marker="o",
                markersize=3.5,
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
    ordered = {one.label: labelled[one.label] for one in results}
    add_legend(page, {**ordered, "log(keys)": most}, columns=6)
    return page


def _range(keys: Sequence[int]) -> str:
    return str(keys[0]) if len(set(keys)) == 1 else f"{min(keys)} to {max(keys)}"


def _scale(maps: Sequence[Array]) -> tuple[Normalize, str]:
    """From 0 to the largest weight, or to where outlying ones begin; where the bar goes on."""
    values = np.concatenate([one.ravel() for one in maps])
    usual, largest = np.percentile(values, 99), values.max()
    is_outlying = largest > OUTLYING * usual > 0
    return Normalize(0.0, float(usual if is_outlying else largest)), (
        "max" if is_outlying else "neither"
    )


def _show_picture(panel: Axes, maps: Maps, row: int) -> None:
    pixels = maps.pixels[row]
    if pixels.shape[-1] == 1:
        panel.imshow(pixels[..., 0], cmap="gray", vmin=0, vmax=255)
    else:
        panel.imshow(pixels)
    _frame(panel)


def _show_map(panel: Axes, weights: Array, scale: Normalize) -> None:
    panel.imshow(weights, norm=scale, cmap=MAP)
    _frame(panel)


def _frame(panel: Axes) -> None:
    panel.set_xticks([])
    panel.set_yticks([])
    panel.spines[:].set_visible(True)


def _with_query(what: str, mapped: Sequence[Mapped]) -> str:
    queries = " or\n".join(sorted({maps.query for _, maps in mapped}))
    return f"{what}\n({queries})"


def draw(results: Sequence[Attention], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Maps of the results that have them, side by side, and entropies of all."""
    return all_figures(results)
