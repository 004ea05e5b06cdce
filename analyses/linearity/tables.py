"""The report's table of linearity between inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analyses.drawing.numbers import with_error
from analyses.linearity.result import Linearity


def tabulate(results: Sequence[Linearity]) -> dict[str, list[dict[str, str]]]:
    """One table with a row for each checkpoint."""
    return {"": [_row(result) for result in results]}


def _row(result: Linearity) -> dict[str, str]:
    middle = len(result.t) // 2
    return {
        "checkpoint": result.label,
        "missing rate R, %": _per_cent(*result.missing_rate),
        "of pairs of two classes, %": _per_cent(*result.missing_rate_of(same_class=False)),
        "of one class, %": _per_cent(*result.missing_rate_of(same_class=True)),
        "loss at midpoints": with_error(
            float(result.loss[middle]), float(result.loss_stderr[middle])
        ),
        "pairs": f"{len(result.pairs):,}",
    }


def _per_cent(rate: float, error: float) -> str:
    return with_error(100 * rate, 100 * error) if math.isfinite(rate) else "no pairs"
