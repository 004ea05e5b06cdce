"""The report's table of norms."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.drawing.numbers import number, with_error
from analyses.norms.result import Norms


def tabulate(results: Sequence[Norms]) -> dict[str, list[dict[str, str]]]:
    """One table with a row for each checkpoint."""
    rows = []
    for result in results:
        row = {
            "checkpoint": result.label,
            "parameters": str(result.sizes[0]),
            "norm of weights (exact)": number(float(result.norms[0]), 4),
            "RMS weight (exact)": number(float(result.rms[0])),
        }
        mlps = result.first_middle_last or (0, 0, 0)
        for name, k in zip(("first", "middle", "last"), mlps, strict=True):
            text = with_error(*result.post_activation(k)) if k else "none"
            row[f"norm after {name} MLP (Mixer: channel mixing) ± standard error"] = text
        rows.append(row)
    return {"": rows}
