"""The report's table of interpolations."""

from collections.abc import Sequence

from analyses.drawing.numbers import with_error
from analyses.interpolate.result import Interpolation


def tabulate(results: Sequence[Interpolation]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each pair."""
    rows = []
    for result in results:
        row = {"checkpoint": result.label}
        for split, barrier in result.barriers().items():
            row[f"{split} barrier, ± sampling error"] = with_error(barrier.height, barrier.stderr)
            row[f"at ({split})"] = f"{barrier.place:.2f}"
        rows.append(row)
    return {"": rows}
