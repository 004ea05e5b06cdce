"""The report's table of linearity between inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analyses.drawing.numbers import share_text, with_error
from analyses.linearity.result import Linearity
from landscape.estimates import Proportion


def tabulate(results: Sequence[Linearity]) -> dict[str, list[dict[str, str]]]:
    """One table with a row for each checkpoint."""
    return {"": [_row(result) for result in results]}


def _row(result: Linearity) -> dict[str, str]:
    middle = len(result.t) // 2
    return {
        "checkpoint": result.label,
        "missing rate R, %": share_text(result.missing_rate),
        "of pairs of two classes, %": _share(result.missing_rate_of(same_class=False)),
        "of one class, %": _share(result.missing_rate_of(same_class=True)),
        "loss at midpoints": with_error(
            float(result.loss[middle]), float(result.loss_stderr[middle]), len(result.pairs) - 1
        ),
        "pairs": f"{len(result.pairs):,}",
    }


def _share(rate: Proportion) -> str:
    return share_text(rate) if math.isfinite(rate.value) else "no pairs"
