"""Curves of loss and accuracy along lines, with bands for what is uncertain about them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.log_ticks import plain_log_ticks
from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.scales import is_logarithmic, tell_if_linear
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import DASHES, figure, say_empty
from analyses.slices.result import Slice
from analyses.slices.settings import axis_label
from landscape.estimates import half_width


def curves(results: Sequence[Slice], along: str, options: PlotOptions | None = None) -> Figure:
    """Draw all losses on one pair of axes and all accuracies on another.

    Args:
        results: lines of one analysis; where they have several splits, the others are dashed.
        along: what the horizontal axis is.
        options: the scale and range of the loss.
    """
    options = options or PlotOptions()
    page = figure(8.0, 3.6)
    loss_axes, accuracy_axes = page.subplots(1, 2)
    handles: dict[str, Any] = {}
    drawn = list(curves_of(results, "mean loss", _mean_loss, has_bands=True))
    losses = [c.result.values[f"{split}_loss"] for c in drawn for split in c.result.splits]
    tell_if_linear(losses, options)
    if is_logarithmic(losses, options):
        loss_axes.set_yscale("log")
    for curve in drawn:
        result, style = curve.result, curve.style
        for number, split in enumerate(result.splits):
            dashed = style if len(result.splits) == 1 else {**style, "linestyle": DASHES[number]}
            name = curve.name if len(result.splits) == 1 else curve.name_with(split)
            handles[name] = _curve(loss_axes, result, f"{split}_loss", dashed, curve.has_band)
            _curve(accuracy_axes, result, f"{split}_acc", dashed, curve.has_band)
    loss_axes.set_ylim(bottom=options.zmin, top=options.zmax)
    if loss_axes.get_yscale() == "log":
        plain_log_ticks(loss_axes.yaxis)
    splits = plain_text(" and ".join(dict.fromkeys(split for r in results for split in r.splits)))
    axis = axis_label(along, [r.settings for r in results])
    loss_axes.set(xlabel=axis, ylabel=with_unit(f"{splits} loss", results))
    accuracy_axes.set(xlabel=axis, ylabel=f"{splits} accuracy (%)")
    accuracies = [c.result.values[f"{split}_acc"] for c in drawn for split in c.result.splits]
    has_accuracy = any(np.isfinite(values).any() for values in accuracies)
    if not has_accuracy:
        say_empty(accuracy_axes, "no accuracy is defined for this task")
    for axes in (loss_axes, accuracy_axes) if has_accuracy else (loss_axes,):
        for x in results[0].marked_x:
            axes.axvline(x, color="0.7", linewidth=0.8, zorder=0)
    add_legend(page, handles, columns=6 if len(handles) > 4 else 4)
    return page


def _mean_loss(result: Slice) -> float:
    return float(np.nanmean(result.loss))


def _curve(axes: Axes, result: Slice, name: str, style: dict[str, Any], has_band: bool) -> Any:
    """A curve, and its band: the range over repeats, or the 95 % interval of its sampling."""
    values = np.where(np.isfinite(result.values[name]), result.values[name], np.nan)
    repeats = result.repeats.get(name)
    low = high = None
    if repeats is not None:
        finite = np.where(np.isfinite(repeats), repeats, np.nan)
        values = finite.mean(0)
        low, high = finite.min(0), finite.max(0)
    elif (stderr := f"{name}_stderr") in result.values:
        error = half_width(result.values[stderr], result.dof_of(stderr), 0.95)
        low, high = values - error, values + error
        if axes.get_yscale() == "log":  # which reaches no lower
            low = np.maximum(low, 1e-3 * values)
    (line,) = axes.plot(result.x, values, **style)
    if low is not None and high is not None and np.isfinite(low).any() and has_band:
        axes.fill_between(result.x, low, high, color=style["color"], alpha=0.18, linewidth=0)
    return line
