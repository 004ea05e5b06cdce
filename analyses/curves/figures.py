"""Pictures of training curves."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analyses.curves.result import Curves
from analyses.drawing.lettering import add_legend
from analyses.drawing.options import PlotOptions
from analyses.drawing.style import figure, line_styles


def pair(results: Sequence[Curves], columns: Sequence[tuple[str, str]]) -> Figure:
    """A panel for each (column, title), all runs in both."""
    page = figure(6.8, 2.9)
    panels: Any = page.subplots(1, len(columns))
    handles: dict[str, Any] = {}
    for one, style in zip(results, line_styles(len(results)), strict=True):
        chosen = _drawn(len(one.columns["epoch"]), one.settings.every)
        epochs = one.columns["epoch"][chosen]
        for panel, (name, _) in zip(panels, columns, strict=True):
            marker = "o" if len(epochs) == 1 else None
            (handles[one.label],) = panel.plot(
                epochs, one.columns[name][chosen], marker=marker, linewidth=1.4, **style
            )
    for panel, (_, title) in zip(panels, columns, strict=True):
        panel.set(xlabel="epoch", ylabel=title)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(axis="y", color="0.92")
    add_legend(page, handles, columns=3)
    return page


def _drawn(count: int, every: int) -> list[int]:
    """Every Nth epoch from the first on, and the last."""
    chosen = list(range(0, count, every))
    return chosen if chosen[-1] == count - 1 else [*chosen, count - 1]


def draw(results: Sequence[Curves], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Two pairs of panels: errors and accuracies; losses."""
    errors = (("train_error", "training error (%)"), ("val_accuracy", "validation accuracy (%)"))
    losses = (("train_loss", "training loss"), ("val_loss", "validation loss"))
    return {"curves": pair(results, errors), "curves-loss": pair(results, losses)}
