"""The report's table of interpolations."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.drawing.numbers import with_error
from analyses.interpolate.result import Interpolation


def tabulate(results: Sequence[Interpolation]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each pair."""
    rows = []
    for result in results:
        row = {"checkpoint": result.label}
        for split, (height, error, place) in result.barriers().items():
            row[f"{split} barrier, ± sampling error"] = with_error(height, error)
            row[f"at ({split})"] = f"{place:.2f}"
        rows.append(row)
    return {"": rows}
