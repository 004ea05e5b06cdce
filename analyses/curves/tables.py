"""The report's table of training curves."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.curves.result import Curves
from analyses.drawing.numbers import number


def tabulate(results: Sequence[Curves]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each run."""

    def last(one: Curves, name: str) -> str:
        return number(float(one.columns[name][-1]))

    return {
        "": [
            {
                "run": one.label,
                "epochs": str(int(one.columns["epoch"][-1])),
                "training error, %": last(one, "train_error"),
                "training loss": last(one, "train_loss"),
                "validation accuracy, %": last(one, "val_accuracy"),
                "the best": number(float(one.columns["val_accuracy"].max())),
                "validation loss": last(one, "val_loss"),
                "minutes": number(float(one.columns["seconds"].sum()) / 60),
            }
            for one in results
        ]
    }
