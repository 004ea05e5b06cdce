"""Pictures of spectra: eigenvalues by rank above the densities, and the components."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure, SubFigure

from analyses.drawing.crowds import on_files
from analyses.drawing.lettering import add_legend
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import figure, grid_shape
from analyses.hessian.component_figures import component_curvatures
from analyses.hessian.density_figures import linear_densities, log_densities, tails
from analyses.hessian.result import Spectrum
from analyses.replicates import examples_of


def draw(results: Sequence[Spectrum], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Eigenvalues and densities, tails, densities on a linear axis, and components.

    Args:
        results: the spectra, all shown in each picture.
        options: not used; spectra have scales of their own.

    Returns:
        Figures by file name; those for which nothing was measured are left out.
    """
    pages = spectra(results)
    with_density = [result for result in results if result.settings.probes]
    if with_density:
        pages["hessian-tails"] = tails(with_density)
        examples = examples_of(with_density)
        pages |= on_files("hessian-linear", examples, linear_densities, most_files=1)
    with_components = [result for result in results if result.components.names]
    if with_components:
        pages["hessian-components"] = component_curvatures(with_components)
    return pages


def spectra(results: Sequence[Spectrum]) -> dict[str, Figure]:
    """The top eigenvalues of all checkpoints by rank; below, their densities on shared axes.

    One eigenvalue of each has no ranks, and stands over its density. Further files have densities
    alone.
    """
    with_density = [result for result in results if result.settings.probes]
    if not with_density:
        page = figure(5.8, 2.8)
        _eigenvalues(page, results)
        return {"hessian": page}
    examples = examples_of(with_density)
    has_ranks = len(with_density) < len(results) or any(len(r.eigenvalues) > 1 for r in results)

    def draw_some(shown: Sequence[Spectrum]) -> Figure:
        rows, columns = grid_shape(len(shown))
        if not has_ranks or shown[0] is not examples[0]:
            page = figure(2.5 * max(columns, 2) + 0.8, 2.1 * rows)
            log_densities(page, shown, rows, columns, examples)
            return page
        page = figure(2.5 * max(columns, 2) + 0.8, 2.8 + 2.1 * rows)
        halves: Any = page.subfigures(2, 1, height_ratios=(2.8, 2.1 * rows))
        _eigenvalues(halves[0], results)
        log_densities(halves[1], shown, rows, columns, examples)
        return page

    return on_files("hessian", examples, draw_some)


def _eigenvalues(page: Figure | SubFigure, results: Sequence[Spectrum]) -> None:
    """Magnitudes by rank with their errors; the signs and failures are marked."""
    axes = page.subplots()
    handles: dict[str, Any] = {}
    for curve in curves_of(results, "|λ₁|", lambda result: abs(float(result.eigenvalues[0]))):
        result, style = curve.result, curve.style
        ranks = np.arange(1, len(result.eigenvalues) + 1)
        magnitudes = np.abs(result.eigenvalues)
        handles[curve.name] = axes.errorbar(
            ranks,
            magnitudes,
            yerr=result.leading.bars,
            marker="o",
            markersize=curve.marker_size(4),
            **style,
        )
        for chosen, marker in ((result.eigenvalues < 0, "v"), (~result.converged, "x")):
            axes.plot(
                ranks[chosen],
                magnitudes[chosen],
                marker,
                markersize=9,
                markerfacecolor="none",
                **curve.mark_style,
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
