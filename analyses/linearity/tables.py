"""The report's table of linearity between inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analyses.drawing.numbers import with_error
from analyses.linearity.result import Linearity


def tabulate(results: Sequence[Linearity]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""

    def share(rate: tuple[float, float]) -> str:
        return with_error(100 * rate[0], 100 * rate[1]) if math.isfinite(rate[0]) else "no pairs"

    return {
        "": [
            {
                "checkpoint": one.label,
                "missing rate R, %": share(one.missing_rate),
                "of pairs of two classes, %": share(one.missing_rate_of(same_class=False)),
                "of one class, %": share(one.missing_rate_of(same_class=True)),
                "loss at midpoints": with_error(
                    float(one.loss[len(one.t) // 2]), float(one.loss_stderr[len(one.t) // 2])
                ),
                "pairs": f"{len(one.pairs):,}",
            }
            for one in results
        ]
    }
