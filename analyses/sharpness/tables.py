"""The report's table of sharpness along training."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.drawing.numbers import number
from analyses.sharpness.result import Sharpness


def tabulate(results: Sequence[Sharpness]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each run."""
    return {
        "": [
            {
                "checkpoint": one.label,
                "saved epochs": str(len(one.table)),
                "λ₁ at the first": number(float(one.column("eigenvalue")[0])),
                "at its largest": number(float(one.column("eigenvalue").max())),
                "at the last": number(float(one.column("eigenvalue")[-1])),
                "largest relative residual": f"{one.column('residual').max():.0e}",
            }
            for one in results
        ]
    }
