"""Pictures of training curves."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analyses.curves.result import Curves
from analyses.drawing.lettering import add_legend
from analyses.drawing.numbers import epochs_unit
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import figure, say_empty

# The panels of each picture: a column of metrics.csv and the title of its axis.
ERRORS = (("train_error", "training error (%)"), ("val_accuracy", "validation accuracy (%)"))


def draw(results: Sequence[Curves], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Errors and accuracies by epoch, and losses."""
    return {
        "curves": _draw_columns(results, ERRORS),
        "curves-loss": _draw_columns(results, _losses(results)),
    }


def _losses(results: Sequence[Curves]) -> tuple[tuple[str, str], ...]:
    """The panels of losses, named as far as all runs minimised the same one."""
    names = {result.training_loss_name for result in results}
    plain_names = {result.loss_name for result in results}
    train = names.pop() if len(names) == 1 else "as trained, see the table"
    held_out = plain_names.pop() if len(plain_names) == 1 else "as trained, see the table"
    return (
        ("train_loss", f"training loss\n({train})"),
        ("val_loss", f"validation loss\n({held_out})"),
    )


def _draw_columns(results: Sequence[Curves], columns: Sequence[tuple[str, str]]) -> Figure:
    """A panel for each (column, title), all runs that logged it in each."""
    page = figure(6.8, 2.9)
    panels: Any = page.subplots(1, len(columns))
    handles: dict[str, Any] = {}
    for curve in curves_of(results, f"last {_words(columns[-1])}", _last(columns[-1][0])):
        result, style = curve.result, curve.style
        for panel, (name, _) in zip(panels, columns, strict=True):
            epochs, values = result.logged(name)
            rows = drawn_epochs(len(epochs), result.settings.every)
            marker = "o" if len(rows) == 1 else None
            (handles[curve.name],) = panel.plot(epochs[rows], values[rows], marker=marker, **style)
    for panel, (name, title) in zip(panels, columns, strict=True):
        panel.set(xlabel=epochs_unit(results), ylabel=title)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(axis="y", color="0.92")
        if not any(len(result.logged(name)[0]) for result in results):
            say_empty(panel, "not logged")
    add_legend(page, handles, columns=3)
    return page


def _words(column: tuple[str, str]) -> str:
    """What the axis of a column is called, without its unit."""
    return column[1].partition("(")[0].strip()


def _last(column: str) -> Callable[[Curves], float]:
    """The last value of a column, or nan where it was not logged."""
    return lambda result: float([np.nan, *result.logged(column)[1]][-1])


def drawn_epochs(count: int, every: int) -> list[int]:
    """The indices of every Nth of ``count`` epochs from the first on, and of the last."""
    indices = list(range(0, count, every))
    return indices if not indices or indices[-1] == count - 1 else [*indices, count - 1]
