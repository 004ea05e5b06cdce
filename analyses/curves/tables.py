"""The report's table of training curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.curves.result import Curves
from analyses.drawing.numbers import epochs_unit, number


def tabulate(results: Sequence[Curves]) -> dict[str, list[dict[str, str]]]:
    """One table with a row for each run."""
    return {
        "": [
            {
                "run": result.label,
                # Not how many there were: some tools count from 0.
                f"last {epochs_unit(results)}": f"{result.columns['epoch'][-1]:g}",
                "training error, %": _of(result, "train_error", _last),
                "which loss": result.training_loss_name,
                "training loss, mean of the steps": _of(result, "train_loss", _last),
                "validation accuracy, %": _of(result, "val_accuracy", _last),
                "the best": _of(result, "val_accuracy", np.max),
                "validation loss (of clean samples)": _of(result, "val_loss", _last),
                "minutes": _of(result, "seconds", lambda seconds: seconds.sum() / 60),
            }
            for result in results
        ]
    }


def _of(result: Curves, column: str, pick: Callable[[NDArray[np.float64]], float]) -> str:
    """A number that is taken of a column; a dash where nothing was logged."""
    _, values = result.logged(column)
    return number(float(pick(values))) if len(values) else "–"


def _last(values: NDArray[np.float64]) -> float:
    return float(values[-1])
