"""The report's table of training curves."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.curves.result import Curves
from analyses.drawing.numbers import number


def tabulate(results: Sequence[Curves]) -> dict[str, list[dict[str, str]]]:
    """One table with a row for each run."""
    return {
        "": [
            {
                "run": result.label,
                "epochs": str(int(result.columns["epoch"][-1])),
                "training error, %": _last(result, "train_error"),
                "training loss": _last(result, "train_loss"),
                "validation accuracy, %": _last(result, "val_accuracy"),
                "the best": number(float(result.columns["val_accuracy"].max())),
                "validation loss": _last(result, "val_loss"),
                "minutes": number(float(result.columns["seconds"].sum()) / 60),
            }
            for result in results
        ]
    }


def _last(result: Curves, column: str) -> str:
    return number(float(result.columns[column][-1]))
