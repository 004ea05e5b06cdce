"""The picture of robustness."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.numbers import error_bars
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import Curve, curves_of
from analyses.drawing.style import figure
from analyses.robustness.result import ATTACKS, Robustness, families_of, family_title, sets_of
from landscape.robustness.scores import Score


def draw(results: Sequence[Robustness], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Severities and radii above, families and sets below, on one scale of accuracy."""
    has_corruptions = any(result.families for result in results)
    has_attacks = any(len(result.radii) for result in results)
    columns = has_corruptions + 2 * has_attacks
    page = figure(7.2, 5.2 if columns else 2.8)
    outer = page.add_gridspec(2 if columns else 1, 1)
    below = page.add_subplot(outer[-1, 0])
    handles = _draw_categories(below, results)
    if columns:
        above = outer[0, 0].subgridspec(1, columns).subplots(sharey=True, squeeze=False)[0]
        if has_corruptions:
            handles |= _draw_severities(above[0], results)
        if has_attacks:
            for panel, attack in zip(above[-2:], ATTACKS, strict=True):
                handles |= _draw_radii(panel, results, attack)
        above[0].set_ylabel("accuracy (%)")
        above[0].set_ylim(0, 102)
    add_legend(page, handles, columns=6)
    return {"robustness": page}


def _curves_of(results: Sequence[Robustness]) -> list[Curve[Robustness]]:
    return curves_of(results, "accuracy", lambda result: float(result.accuracy.accuracy))


def _draw_severities(panel: Axes, results: Sequence[Robustness]) -> dict[str, Any]:
    """Accuracy by severity, from the unmodified pictures on; returns the curves by label."""
    handles = {
        curve.name: _draw_curve(
            panel, {0: curve.result.accuracy, **curve.result.by_severity}, curve
        )
        for curve in _curves_of(results)
        if curve.result.families
    }
    panel.set_title("corruptions, mean over families")
    panel.set_xlabel("severity")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    return handles


def _draw_radii(panel: Axes, results: Sequence[Robustness], attack: str) -> dict[str, Any]:
    """Accuracy by radius of an attack, from 0 on; returns the curves by label."""
    handles = {}
    for curve in _curves_of(results):
        if len(curve.result.radii):
            scores = {0.0: curve.result.accuracy, **curve.result.by_radius(attack)}
            handles[curve.name] = _draw_curve(panel, dict(sorted(scores.items())), curve)
    steps = {result.settings.attack_steps for result in results if len(result.radii)}
    suffix = f", {steps.pop()} steps" if attack == "pgd" and len(steps) == 1 else ""
    panel.set_title(ATTACKS[attack] + suffix)
    panel.set_xlabel("radius (1/255)")
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return handles


def _draw_curve(panel: Axes, scores: Mapping[Any, Score], curve: Curve[Robustness]) -> Any:
    panel.grid(axis="y", color="0.92")
    panel.set_axisbelow(True)
    return panel.errorbar(
        list(scores),
        [score.accuracy for score in scores.values()],
        yerr=error_bars([score.share for score in scores.values()], 100),
        marker="o",
        markersize=curve.marker_size(3),
        elinewidth=min(0.8, curve.style.get("linewidth", 0.8)),
        **curve.style,
    )


def _draw_categories(panel: Axes, results: Sequence[Robustness]) -> dict[str, Any]:
    """Dots side by side for each family and set; returns their handles by label."""
    families = families_of(results)
    sets = [name for name in sets_of(results) if "/" not in name]
    titles = ["clean", *map(family_title, families), *map(plain_text, sets)]
    handles: dict[str, Any] = {}
    for curve in _curves_of(results):
        result = curve.result
        by_family = result.by_family
        scores = [
            result.accuracy,
            *(by_family.get(family) for family in families),
            *(result.sets.get(name) for name in sets),
        ]
        measured = [(x, score) for x, score in enumerate(scores) if score is not None]
        shift = 1.2 * curve.offset
        handles[curve.name] = panel.errorbar(
            [x + shift for x, _ in measured],
            [score.accuracy for _, score in measured],
            yerr=error_bars([score.share for _, score in measured], 100),
            marker="o",
            markersize=curve.marker_size(3.5 if len(results) <= 8 else 2),
            elinewidth=curve.style.get("linewidth", 1),
            **curve.mark_style,
            linestyle="none",
        )
    for edge in np.arange(len(titles) - 1) + 0.5:
        is_between_groups = edge == 0.5 or edge == len(families) + 0.5
        panel.axvline(edge, color="0.6" if is_between_groups else "0.92", linewidth=0.8, zorder=0)
    tilt: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    panel.set_xticks(range(len(titles)), titles, **(tilt if len(titles) > 4 else {}))
    panel.tick_params(axis="x", length=0)
    panel.set_xlim(-0.5, len(titles) - 0.5)
    panel.set_ylim(0, 102)
    panel.set_ylabel("accuracy (%)")
    panel.grid(axis="y", color="0.92")
    panel.set_axisbelow(True)
    if families:
        panel.set_title("corruptions by family, mean over severities" + ("; sets" if sets else ""))
    return handles
