"""The report's table of lines."""

from collections.abc import Sequence

from analyses.drawing.numbers import estimate_text, number
from analyses.line.result import Line


def tabulate(results: Sequence[Line]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    return {
        "": [
            {
                "checkpoint": result.label,
                f"{result.split} loss at 0, ± sampling error": estimate_text(
                    result.loss_with_error(result.split)
                ),
                f"loss at {result.x[0]:g}": number(float(result.loss[0])),
                f"loss at {result.x[-1]:g}": number(float(result.loss[-1])),
            }
            for result in results
        ]
    }
