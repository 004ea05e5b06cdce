"""The report's table of sharpness along training."""

import math
from collections.abc import Sequence

import numpy as np

from analyses.drawing.numbers import NumberText, bound_text, number, with_error
from analyses.sharpness.result import Sharpness


def tabulate(results: Sequence[Sharpness]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each run."""
    return {"": [_row(result) for result in results]}


def _smallest(result: Sharpness) -> str:
    """That of the last saved epoch; a dash where it was not measured."""
    names = ("smallest", "smallest_residual", "smallest_sampling_error")
    value, residual, error = (float(result.column(name)[-1]) for name in names)
    # Of a pair that was not iterated on its own account: its residual says how close it is.
    if math.isnan(value):
        return "–"
    return NumberText(f"{with_error(value, error)} ({bound_text(residual)})", value)


def _row(result: Sharpness) -> dict[str, str]:
    eigenvalues = result.column("eigenvalue")
    is_known = ~np.isnan(eigenvalues)  # not everywhere in files of earlier versions
    first, last = float(eigenvalues[0]), float(eigenvalues[-1])
    known, residuals = eigenvalues[is_known], result.column("residual")[is_known]
    return {
        "checkpoint": result.label,
        "saved epochs": str(len(result.table)),
        "λ_max at the first": "–" if math.isnan(first) else number(first),
        "at its largest": number(float(known.max())) if len(known) else "–",
        "at the last, ± sampling error": (
            "–"
            if math.isnan(last)
            else with_error(last, float(result.column("sampling_error")[-1]))
        ),
        "largest relative residual": bound_text(residuals.max()) if len(known) else "–",
        "λ_min at the last, ± sampling error (relative residual)": _smallest(result),
    }
