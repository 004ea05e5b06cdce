"""The report's table of mini-batch spectra."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.drawing.numbers import number, with_error
from analyses.minibatch.result import MinibatchSpectra


def tabulate(results: Sequence[MinibatchSpectra]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    return {
        "": [
            {
                "checkpoint": one.label,
                "mean of the largest, ± standard error": with_error(*one.largest),
                "largest of all": number(float(one.eigenvalues.max())),
                "negative, %, ± standard error": with_error(
                    100 * one.negative[0], 100 * one.negative[1]
                ),
                "mini-batches": f"{len(one.eigenvalues)} of {one.settings.minibatch_size}",
                "L2": f"{one.settings.l2:g}",
                "augmentation": one.settings.augmentation,
                "residual within 1 %": f"{100 * one.converged:.0f} %",
                "seconds": f"{one.provenance.seconds:.1f}",
            }
            for one in results
        ]
    }
