"""The report's table of loss surfaces."""

import math
from collections.abc import Sequence

import numpy as np

from analyses.drawing.numbers import estimate_text, number
from analyses.surface.result import Surface

# Above the table of surfaces that were not measured as a whole.
REFINED = (
    "Refined surfaces: some points were measured, the rest is interpolated with a standard error; "
    "means over the plane are of both. --no-refine measures every point, for figures that are "
    "published"
)


def tabulate(results: Sequence[Surface]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    tables = {"": [_row(result) for result in results]}
    refined = [result for result in results if f"{result.split}_loss" in result.errors]
    if refined:
        tables[REFINED] = [_refinement(result) for result in refined]
    return tables


def _refinement(result: Surface) -> dict[str, str]:
    headline, errors = result.headline(), result.errors[f"{result.split}_loss"]
    interpolated = errors[~result.measured] if not result.measured.all() else np.zeros(1)
    return {
        "checkpoint": result.label,
        "points measured": f"{headline['measured']:,} of {headline['points']:,}",
        "tolerance, %": number(100 * result.settings.tolerance),
        "arithmetic of the points": str(result.mode["precision"]),
        "its standard error, %": number(100 * float(result.mode.get("noise", 0.0))),
        "root mean square of the standard errors of the rest": _error(
            float(np.sqrt((interpolated**2).mean())), result
        ),
        "the largest of them": _error(float(interpolated.max()), result),
    }


def _error(value: float, result: Surface) -> str:
    """An error of interpolated losses: in per cent, or in the unit of losses that cross 0."""
    if result.has_relative_error(f"{result.split}_loss"):
        return number(100 * value).within("{} %")
    unit = result.provenance.loss_unit
    return number(value).within(f"{{}} {unit}") if unit else number(value)


def _row(result: Surface) -> dict[str, str]:
    row = {"checkpoint": result.label}
    for split in result.splits:
        row[f"{split} loss, ± sampling error"] = estimate_text(result.loss_with_error(split))
        row[f"{split} accuracy, %"] = number(result.at_origin.get(f"{split}_acc", math.nan))
    headline = result.headline()
    row["mean loss over the plane"] = number(float(headline["mean_loss"]))
    row["largest loss on the plane"] = number(float(headline["max_loss"]))
    row["points left out of these, not finite"] = f"{headline['not_finite']:,}"
    row["points measured"] = f"{headline['measured']:,} of {headline['points']:,}"
    return row
