"""The report's table of tangent kernels."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.drawing.numbers import with_error
from analyses.ntk.result import TangentKernel


def tabulate(results: Sequence[TangentKernel]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""

    def shown(result: TangentKernel, variant: str) -> str:
        value, error, is_bound = result.kappa(variant)
        return f"{'> ' if is_bound else ''}{with_error(value, error)}"

    titles = {"full": "κ, full kernel", "summed": "κ, summed over outputs", "logit": "κ of a logit"}
    return {
        "": [
            {
                "checkpoint": one.label,
                **{title: shown(one, variant) for variant, title in titles.items()},
                "at": one.settings.ntk_at,
                "seeds": str(len(one.samples)),
                "samples × outputs": f"{one.samples.shape[1]} × {len(one.outputs)}",
            }
            for one in results
        ]
    }
