"""The report's table of activation sparsity."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analyses.drawing.numbers import number, with_error
from analyses.sparsity.result import Sparsity


def tabulate(results: Sequence[Sparsity]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""

    def per_cent(value: float, error: float) -> str:
        return with_error(100 * value, 100 * error)

    def row(result: Sparsity) -> dict[str, str]:
        found = {
            "checkpoint": result.label,
            "layers": str(len(result.layers)),
            "mean active, %": f"{100 * result.mean:.1f}",
            "first layer, %, ± standard error": per_cent(result.active[0], result.stderr[0]),
            "last layer, %, ± standard error": per_cent(result.active[-1], result.stderr[-1]),
        }
        for threshold, above in zip(result.settings.thresholds, result.above, strict=True):
            found[f"mean above {threshold:g} × rms, %"] = f"{100 * above[:, 0].mean():.1f}"
        known = math.isfinite(result.dead[0])
        found["dead, % of all neurons"] = (
            number(100 * float((result.dead * result.neurons).sum() / result.neurons.sum()))
            if known
            else "–"
        )
        found["effective rank, last layer"] = with_error(*result.rank[-1]) if known else "–"
        found["components for 99 %, last layer"] = (
            with_error(*result.components[-1]) if known else "–"
        )
        return found

    rows = [row(result) for result in results]
    columns = dict.fromkeys(name for one in rows for name in one)
    return {"": [{name: one.get(name, "–") for name in columns} for one in rows]}
