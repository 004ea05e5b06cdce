"""The report's table of tangent kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analyses.drawing.numbers import estimate_text
from analyses.ntk.result import STATISTICS, TangentKernel

COLUMNS = {
    "full": "κ, full kernel",
    "summed": "κ, summed over outputs",
    "logit": "κ of a logit",
    "logit_sum": "κ of the sum of logits",
}


def tabulate(results: Sequence[TangentKernel]) -> dict[str, list[dict[str, str]]]:
    """One table with a row for each checkpoint."""
    return {
        "": [
            {
                "checkpoint": result.label,
                **{title: _kappa(result, variant) for variant, title in COLUMNS.items()},
                "at": result.settings.ntk_at,
                "BatchNorm by": STATISTICS[result.statistics] or "–",
                "seeds": str(len(result.samples)),
                "samples × outputs": f"{result.samples.shape[1]} × {len(result.outputs)}",
            }
            for result in results
        ]
    }


def _kappa(result: TangentKernel, variant: str) -> str:
    mean, (_, is_bound) = result.mean_kappa(variant), result.kappas(variant)
    if math.isnan(mean.value):  # a file of an earlier version has not all variants
        return "–"
    return estimate_text(mean).within("> {}" if is_bound else "{}")
