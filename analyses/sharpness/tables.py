"""The report's table of sharpness along training."""

from collections.abc import Sequence

from analyses.drawing.numbers import number
from analyses.sharpness.result import Sharpness


def tabulate(results: Sequence[Sharpness]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each run."""
    return {"": [_row(result) for result in results]}


def _row(result: Sharpness) -> dict[str, str]:
    eigenvalues = result.column("eigenvalue")
    return {
        "checkpoint": result.label,
        "saved epochs": str(len(result.table)),
        "λ₁ at the first": number(float(eigenvalues[0])),
        "at its largest": number(float(eigenvalues.max())),
        "at the last": number(float(eigenvalues[-1])),
        "largest relative residual": f"{result.column('residual').max():.0e}",
    }
