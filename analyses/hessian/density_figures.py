"""Pictures of spectral densities: symmetric logarithmic, linear, and their tails."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.numbers import number, with_unit
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import colour, figure, grid_shape
from analyses.hessian.eigenvalues import LARGEST, SMALLEST
from analyses.hessian.result import Spectrum
from landscape.estimates import half_width

Array = NDArray[np.float64]

# Pictures don't tell less than this share of the largest eigenvalue from 0.
NEGLIGIBLE = 1e-5


def log_densities(
    page: Figure | SubFigure,
    results: Sequence[Spectrum],
    rows: int,
    columns: int,
    sharing: Sequence[Spectrum],
) -> None:
    """A panel for each checkpoint on shared axes: linear in the bulk, logarithmic outside.

    ``sharing`` are all the spectra on the same scale of eigenvalues, also those of other figures.
    """
    panels = page.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    low, high = _range(sharing)
    linear = linear_region(sharing)
    grid = symmetric_log_grid(low, high, linear)
    floor, ceiling = _lowest_density(sharing), 0.0
    for position, panel in enumerate(panels.flat):
        if position >= len(results):
            panel.set_axis_off()
            continue
        result = results[position]
        ceiling = max(ceiling, _density(panel, result, grid, floor, finest=0.05 * linear))
        panel.set_ylim(floor, 2 * ceiling)
        panel.set_title(_title(result))
        panel.set_xscale("symlog", linthresh=linear, linscale=0.5)
        panel.set_xticks(_ticks(low, high, linear))
        panel.xaxis.set_major_formatter(FuncFormatter(_plain))
        panel.minorticks_off()
    _label(panels, results, rows, columns)


def linear_densities(results: Sequence[Spectrum]) -> Figure:
    """A panel for each checkpoint, with a linear axis of its own."""
    rows, columns = grid_shape(len(results))
    page = figure(2.5 * max(columns, 2) + 0.8, 2.1 * rows + 0.3)
    panels = page.subplots(rows, columns, squeeze=False)
    for position, panel in enumerate(panels.flat):
        if position >= len(results):
            panel.set_axis_off()
            continue
        result = results[position]
        low, high = _range([result])
        margin = 0.04 * (high - low) or 1.0
        # Evenly spaced points and the nodes: a narrow bulk must not fall between two points.
        nodes = result.quadrature.nodes.ravel()
        grid = np.unique(np.concatenate([np.linspace(low - margin, high + margin, 600), nodes]))
        finest = 0.002 * (high - low) or 1.0
        _density(panel, result, grid, _lowest_density([result]), finest)
        panel.set_title(_title(result))
        panel.xaxis.set_major_locator(MaxNLocator(5))
        panel.tick_params(labelbottom=True)
    _label(panels, results, rows, columns)
    return page


def _first(result: Spectrum) -> float:
    return abs(float(result.eigenvalues[0]))


def _title(result: Spectrum) -> str:
    """The label, and below it both ends of the spectrum as far as they are known."""
    values = {"max": result.ends.values[LARGEST], "min": result.ends.values[SMALLEST]}
    ends = [
        f"λ_{name} = {number(float(value))}"
        for name, value in values.items()
        if not math.isnan(value)
    ]
    return "\n".join([plain_text(result.label), ", ".join(ends)])


def tails(results: Sequence[Spectrum]) -> Figure:
    """The share of directions more curved than a threshold, upwards and downwards, log-log."""
    page = figure(6.8, 2.9)
    panels: Any = page.subplots(1, 2, sharey=True, sharex=True)
    low, high = _range(results)
    largest = max(abs(low), abs(high)) or 1.0
    thresholds = np.geomspace(NEGLIGIBLE * largest, 1.02 * largest, 400)
    handles: dict[str, Any] = {}
    floor = min(0.5 / result.provenance.num_parameters for result in results)
    for curve in curves_of(results, "|λ₁|", _first, has_bands=True):
        result, style = curve.result, curve.style
        for panel, sign in zip(panels, (1, -1), strict=True):
            mean, error = result.quadrature.beyond(sign * thresholds)
            # A single probe has none, and no band.
            error = np.nan_to_num(half_width(error, result.quadrature.dof))
            shown = np.where(mean > 0, mean, np.nan)
            band = np.maximum(mean - error, floor), np.maximum(mean + error, floor)
            if curve.is_named:
                panel.fill_between(
                    thresholds, *band, where=mean > 0, color=style["color"], alpha=0.2, linewidth=0
                )
            (handles[curve.name],) = panel.plot(thresholds, shown, **style)
    for panel, direction in zip(panels, ("upwards", "downwards"), strict=True):
        panel.set(xscale="log", yscale="log", title=f"curved {direction} by more than |λ|")
        panel.set_xlabel(with_unit("|λ|", results))
        panel.grid(color="0.92")
        panel.set_ylim(floor, 1.0)
    panels[0].set_ylabel("share of all directions")
    add_legend(page, handles, columns=4)
    return page


def _density(panel: Axes, result: Spectrum, grid: Array, floor: float, finest: float) -> float:
    """Draw the curve with its band, and the eigenvalues as stems; return the greatest height."""
    mean, error = result.quadrature.density(grid, finest)
    # A single probe has none, and no band.
    error = np.nan_to_num(half_width(error, result.quadrature.dof))
    band = np.maximum(mean - error, floor), np.maximum(mean + error, floor)
    panel.fill_between(grid, *band, color=colour(0), alpha=0.3, linewidth=0)
    panel.plot(grid, np.maximum(mean, floor), color=colour(0))
    # The stems' height is a share of the panel: a single eigenvalue has no density.
    stems = panel.get_xaxis_transform()
    panel.vlines(result.eigenvalues, 0, 0.2, color=colour(1), linewidth=1, transform=stems)
    heads = np.full(len(result.eigenvalues), 0.2)
    panel.plot(result.eigenvalues, heads, "o", color=colour(1), ms=3, transform=stems)
    panel.set_yscale("log")
    panel.set_ylim(floor, None)
    return max(float(band[1].max()), 10 * floor)


def _label(panels: Any, results: Sequence[Spectrum], rows: int, columns: int) -> None:
    for row in panels:
        row[0].set_ylabel(with_unit("density", results, "1/{}"))
    for column in range(columns):
        lowest = max(row for row in range(rows) if row * columns + column < len(results))
        panels[lowest, column].set_xlabel(with_unit("Hessian eigenvalue", results))
        panels[lowest, column].tick_params(labelbottom=True)


def _range(results: Sequence[Spectrum]) -> tuple[float, float]:
    """The smallest and the largest of all nodes and eigenvalues."""
    ends = [np.concatenate([r.quadrature.nodes.ravel(), r.eigenvalues]) for r in results]
    return min(float(e.min()) for e in ends), max(float(e.max()) for e in ends)


def linear_region(results: Sequence[Spectrum]) -> float:
    """The value up to which the axis is linear, for the bulk; beyond it is logarithmic.

    The largest power of ten that is at most a hundredth of the smallest top eigenvalue.
    """
    smallest = min(float(np.abs(result.eigenvalues[0])) for result in results)
    return 10.0 ** math.floor(math.log10(max(smallest, 1e-12) / 100))


def _lowest_density(results: Sequence[Spectrum]) -> float:
    """A tenth of the height of a single eigenvalue: where the axis of densities ends."""
    heights = [
        8.0 / (abs(float(r.eigenvalues[0])) * r.provenance.num_parameters)
        for r in results
        if r.eigenvalues[0] and r.provenance.num_parameters
    ]
    return 0.1 * min(heights, default=1.0)


def _ticks(low: float, high: float, linear: float) -> list[float]:
    """0 and the powers of ten outside the linear region; every second one if they are many."""
    start = round(math.log10(linear)) + 1
    powers = [10.0**k for k in range(start, start + 12) if 10.0**k <= max(high, -low)]
    powers = powers[:: 1 if len(powers) <= 3 else 2]
    # The negative side is mostly short, so only its end is labelled: labels must not overlap.
    negative = [-power for power in powers if power <= -low][-1:]
    return sorted([*negative, 0.0, *(power for power in powers if power <= high)])


def _plain(value: float, _: Any) -> str:
    return f"{value:g}".replace("-", "−")


def symmetric_log_grid(low: float, high: float, linear: float, count: int = 600) -> Array:
    """Points that are evenly spaced on a symmetric logarithmic axis, a little beyond both ends."""
    start, stop = (
        np.arcsinh(1.15 * end / linear) for end in (min(low, -linear), max(high, linear))
    )
    return linear * np.sinh(np.linspace(start, stop, count))
