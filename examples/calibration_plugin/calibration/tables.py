"""The table of the report."""

from collections.abc import Sequence

from analyses.drawing.numbers import estimate_text
from calibration.result import Calibration


def tabulate(results: Sequence[Calibration]) -> dict[str, list[dict[str, str]]]:
    """A row for each checkpoint."""
    column = "mean confidence - accuracy ± standard error"
    rows: list[dict[str, str]] = []
    for result in results:
        rows.append({"checkpoint": result.label, column: estimate_text(result.overconfidence)})
    return {"": rows}
