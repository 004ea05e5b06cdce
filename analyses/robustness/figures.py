"""Tables and picture of robustness."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.options import PlotOptions
from analyses.drawing.style import figure, line_styles
from analyses.robustness.result import ATTACKS, Robustness, _union, _words
from landscape.robustness.scores import Score


def accuracies(results: Sequence[Robustness]) -> Figure:
    """Severities and radii above, families and sets below, on one scale of accuracy."""
    has_corruptions = any(one.families for one in results)
    has_attacks = any(len(one.radii) for one in results)
    columns = has_corruptions + 2 * has_attacks
    page = figure(7.2, 5.2 if columns else 2.8)
    outer = page.add_gridspec(2 if columns else 1, 1)
    below = page.add_subplot(outer[-1, 0])
    styles = line_styles(len(results))
    handles = _categories(below, results, styles)
    if columns:
        above = outer[0, 0].subgridspec(1, columns).subplots(sharey=True, squeeze=False)[0]
        if has_corruptions:
            handles |= _severities(above[0], results, styles)
        if has_attacks:
            for panel, attack in zip(above[-2:], ATTACKS, strict=True):
                handles |= _radii(panel, results, styles, attack)
        above[0].set_ylabel("accuracy (%)")
        above[0].set_ylim(0, 102)
    add_legend(page, handles, columns=6)
    return page


def _severities(
    panel: Axes, results: Sequence[Robustness], styles: list[dict[str, Any]]
) -> dict[str, Any]:
    handles = {
        one.label: _curve(panel, {0: one.accuracy, **one.by_severity}, style)
        for one, style in zip(results, styles, strict=True)
        if one.families
    }
    panel.set_title("corruptions, mean over families")
    panel.set_xlabel("severity")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    return handles


def _radii(
    panel: Axes, results: Sequence[Robustness], styles: list[dict[str, Any]], attack: str
) -> dict[str, Any]:
    handles = {
        one.label: _curve(
            panel, dict(sorted({0.0: one.accuracy, **one.by_radius(attack)}.items())), style
        )
        for one, style in zip(results, styles, strict=True)
        if len(one.radii)
    }
    steps = {one.settings.attack_steps for one in results if len(one.radii)}
    many = f", {steps.pop()} steps" if attack == "pgd" and len(steps) == 1 else ""
    panel.set_title(ATTACKS[attack] + many)
    panel.set_xlabel("radius (1/255)")
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return handles


def _curve(panel: Axes, scores: Mapping[Any, Score], style: dict[str, Any]) -> Any:
    panel.grid(axis="y", color="0.92")
    panel.set_axisbelow(True)
    return panel.errorbar(
        list(scores),
        [score.accuracy for score in scores.values()],
        yerr=[score.standard_error for score in scores.values()],
        marker="o",
        markersize=3,
        elinewidth=0.8,
        **style,
    )


def _categories(
    panel: Axes, results: Sequence[Robustness], styles: list[dict[str, Any]]
) -> dict[str, Any]:
    """Dots side by side for each family and set; returns their handles by label."""
    families = _union(one.families for one in results)
    sets = [name for name in _union(one.sets for one in results) if "/" not in name]
    names = ["clean", *families, *sets]
    handles: dict[str, Any] = {}
    for number, (one, style) in enumerate(zip(results, styles, strict=True)):
        scores = {"clean": one.accuracy, **one.by_family}
        values = [scores.get(name) for name in ("clean", *families)]
        values += [one.sets.get(name) for name in sets]
        shown = [(place, score) for place, score in enumerate(values) if score is not None]
        shift = 0.7 * ((number + 0.5) / len(results) - 0.5)
        handles[one.label] = panel.errorbar(
            [place + shift for place, _ in shown],
            [score.accuracy for _, score in shown],
            yerr=[score.standard_error for _, score in shown],
            marker="o",
            markersize=3.5 if len(results) <= 8 else 2,
            elinewidth=1,
            color=style["color"],
            linestyle="none",
        )
    for edge in np.arange(len(names) - 1) + 0.5:
        strong = edge == 0.5 or edge == len(families) + 0.5
        panel.axvline(edge, color="0.6" if strong else "0.92", linewidth=0.8, zorder=0)
    tilt: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    texts = ["clean", *map(_words, families), *map(plain_text, sets)]
    panel.set_xticks(range(len(names)), texts, **(tilt if len(names) > 4 else {}))
    panel.tick_params(axis="x", length=0)
    panel.set_xlim(-0.5, len(names) - 0.5)
    panel.set_ylim(0, 102)
    panel.set_ylabel("accuracy (%)")
    panel.grid(axis="y", color="0.92")
    panel.set_axisbelow(True)
    if families:
        panel.set_title("corruptions by family, mean over severities" + ("; sets" if sets else ""))
    return handles


def draw(results: Sequence[Robustness], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Accuracy by severity, radius, family and set, all checkpoints together."""
    return {"robustness": accuracies(results)}
