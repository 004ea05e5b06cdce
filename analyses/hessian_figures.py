"""Pictures of spectra: eigenvalues by rank, and densities with their outliers."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from analyses.hessian import Spectrum
from analyses.style import (
    COLOURS,
    add_legend,
    figure,
    grid_shape,
    line_styles,
    number,
    plain_text,
    with_unit,
)

Array = NDArray[np.float64]


# The curve is smoothed by this share of the distance from 0, and near 0 of the linear region.
SMOOTHING = 0.12


def spectra(results: Sequence[Spectrum]) -> Figure:
    """Top eigenvalues of all checkpoints by rank; below, each one's density, on shared axes."""
    measured = [result for result in results if result.settings.probes]
    if not measured:
        page = figure(5.8, 2.8)
        _eigenvalues(page, results)
        return page
    rows, columns = grid_shape(len(measured))
    page = figure(2.5 * max(columns, 2) + 0.8, 2.8 + 2.1 * rows)
    parts: Any = page.subfigures(2, 1, height_ratios=(2.8, 2.1 * rows))
    _eigenvalues(parts[0], results)
    _densities(parts[1], measured, rows, columns)
    return page


def _eigenvalues(page: FigureBase, results: Sequence[Spectrum]) -> None:
    axes = page.subplots()
    handles: dict[str, Any] = {}
    for result, style in zip(results, line_styles(len(results)), strict=True):
        ranks = np.arange(1, len(result.eigenvalues) + 1)
        magnitudes = np.abs(result.eigenvalues)
        errors = np.minimum(result.residuals, 0.999) * magnitudes
        handles[result.label] = axes.errorbar(
            ranks, magnitudes, yerr=errors, marker="o", markersize=4, **style
        )
        for chosen, marker in ((result.eigenvalues < 0, "v"), (~result.converged, "x")):
            axes.plot(
                ranks[chosen],
                magnitudes[chosen],
                marker,
                markersize=9,
                markerfacecolor="none",
                color=style["color"],
            )
    if any(result.eigenvalues.any() for result in results):
        axes.set_yscale("log", nonpositive="mask")
    axes.set_xticks(range(1, max(len(r.eigenvalues) for r in results) + 1))
    notes = ""
    if any((r.eigenvalues < 0).any() for r in results):
        notes += "; triangle: negative"
    if any((~r.converged).any() for r in results):
        notes += "; cross: not converged"
    axes.set(xlabel="rank by magnitude" + notes, ylabel=with_unit("|Hessian eigenvalue|", results))
    axes.grid(axis="y", color="0.92")
    add_legend(page, handles)


def _densities(page: FigureBase, results: Sequence[Spectrum], rows: int, columns: int) -> None:
    panels = page.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    low = min(min(r.quadrature.nodes.min(), r.eigenvalues.min()) for r in results)
    high = max(max(r.quadrature.nodes.max(), r.eigenvalues.max()) for r in results)
    linear = linear_region(results)
    grid = symmetric_log_grid(low, high, linear)
    floor = _one_eigenvalue(results)
    for position, panel in enumerate(panels.flat):
        if position >= len(results):
            panel.set_axis_off()
            continue
        result = results[position]
        mean, error = result.quadrature.density(grid, SMOOTHING * linear, relative=SMOOTHING)
        band = np.maximum(mean - error, floor), np.maximum(mean + error, floor)
        panel.fill_between(grid, *band, color=COLOURS[0], alpha=0.3, linewidth=0)
        panel.plot(grid, np.maximum(mean, floor), color=COLOURS[0])
        # Stems in a height of the panel, not in density: one eigenvalue has no density.
        stems = panel.get_xaxis_transform()
        panel.vlines(result.eigenvalues, 0, 0.2, color=COLOURS[1], linewidth=1, transform=stems)
        heads = np.full(len(result.eigenvalues), 0.2)
        panel.plot(result.eigenvalues, heads, "o", color=COLOURS[1], ms=3, transform=stems)
        panel.set_title(f"{plain_text(result.label)}, λ₁ = {number(float(result.eigenvalues[0]))}")
        panel.set_xscale("symlog", linthresh=linear, linscale=0.5)
        panel.set_xticks(_ticks(low, high, linear))
        panel.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−"))
        )
        panel.minorticks_off()
        panel.set_yscale("log")
        panel.set_ylim(floor, None)
    for row in panels:
        row[0].set_ylabel(with_unit("density", results, "1/{}"))
    for column in range(columns):
        lowest = max(row for row in range(rows) if row * columns + column < len(results))
        panels[lowest, column].set_xlabel(with_unit("Hessian eigenvalue", results))
        panels[lowest, column].tick_params(labelbottom=True)


def linear_region(results: Sequence[Spectrum]) -> float:
    """Where the axis turns from linear, for the bulk, to logarithmic, for the outliers.

    A power of ten: the largest that is at most a hundredth of the smallest top eigenvalue.
    """
    smallest = min(float(np.abs(result.eigenvalues[0])) for result in results)
    return 10.0 ** math.floor(math.log10(max(smallest, 1e-12) / 100))


def _one_eigenvalue(results: Sequence[Spectrum]) -> float:
    """The height of a single eigenvalue where the axis ends: nothing lower means anything."""
    heights = [
        SMOOTHING**-1 / (abs(float(r.eigenvalues[0])) * r.provenance.num_parameters)
        for r in results
        if r.eigenvalues[0]
    ]
    return 0.1 * min(heights, default=1.0)


def _ticks(low: float, high: float, linear: float) -> list[float]:
    """0 and every second power of ten outside the linear region."""
    start = round(math.log10(linear)) + 1
    powers = [10.0**k for k in range(start, start + 12, 2)]
    negative = [-power for power in powers if power <= -low]
    return sorted([*negative, 0.0, *(power for power in powers if power <= high)])


def symmetric_log_grid(low: float, high: float, linear: float, count: int = 600) -> Array:
    """Points that are even on a symmetric logarithmic axis, a little beyond both ends."""
    start, stop = (
        np.arcsinh(1.15 * end / linear) for end in (min(low, -linear), max(high, linear))
    )
    return linear * np.sinh(np.linspace(start, stop, count))
