"""The report's table of loss surfaces."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.drawing.numbers import number, with_error
from analyses.slices.result import Slice


def tabulate(results: Sequence[Slice]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    rows = []
    for result in results:
        row = {"checkpoint": result.label}
        for split in result.splits:
            loss, error = (result.at_origin.get(f"{split}_{n}", float("nan")) for n in _OF_LOSS)
            row[f"{split} loss, ± sampling error"] = with_error(loss, error)
            row[f"{split} accuracy, %"] = number(result.at_origin.get(f"{split}_acc", float("nan")))
        headline = result.headline()
        row["mean loss over the plane"] = number(float(headline["mean_loss"]))
        row["largest loss on the plane"] = number(float(headline["max_loss"]))
        row["points measured"] = f"{headline['measured']:,} of {headline['points']:,}"
        rows.append(row)
    return {"": rows}


_OF_LOSS = ("loss", "loss_stderr")
