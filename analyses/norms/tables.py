"""The report's table of norms."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.drawing.numbers import NumberText, number, with_error
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
            text = _norm(result, k) if k else "none"
            row[f"norm after {name} MLP (Mixer: channel mixing) ± standard error"] = text
        rows.append(row)
    return {"": rows}


def _norm(result: Norms, k: int) -> NumberText:
    mean, error = result.post_activation(k)
    return with_error(mean, error, result.provenance.num_samples - 1)
