"""The report's table of loss surfaces."""

import math
from collections.abc import Sequence

from analyses.drawing.numbers import number, with_error
from analyses.surface.result import Surface


def tabulate(results: Sequence[Surface]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    return {"": [_row(result) for result in results]}


def _row(result: Surface) -> dict[str, str]:
    row = {"checkpoint": result.label}
    for split in result.splits:
        loss, error, accuracy = (
            result.at_origin.get(f"{split}_{name}", math.nan)
            for name in ("loss", "loss_stderr", "acc")
        )
        row[f"{split} loss, ± sampling error"] = with_error(loss, error)
        row[f"{split} accuracy, %"] = number(accuracy)
    headline = result.headline()
    row["mean loss over the plane"] = number(float(headline["mean_loss"]))
    row["largest loss on the plane"] = number(float(headline["max_loss"]))
    row["points measured"] = f"{headline['measured']:,} of {headline['points']:,}"
    return row
