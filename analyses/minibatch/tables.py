"""The report's table of mini-batch spectra."""

from collections.abc import Sequence

from analyses.drawing.numbers import fixed, number, with_error
from analyses.minibatch.result import MinibatchSpectra


def tabulate(results: Sequence[MinibatchSpectra]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    return {"": [_row(result) for result in results]}


def _row(result: MinibatchSpectra) -> dict[str, str]:
    largest, negative = result.largest, result.negative
    return {
        "checkpoint": result.label,
        "mean of the largest, ± standard error": with_error(
            largest.value, largest.stderr, largest.dof
        ),
        "largest of all": number(float(result.eigenvalues.max())),
        "negative, %, ± standard error": with_error(
            100 * negative.value, 100 * negative.stderr, negative.dof
        ),
        "mini-batches": f"{len(result.eigenvalues)} of {result.settings.minibatch_size}",
        "L2": f"{result.settings.l2:g}",
        "augmentation": result.settings.augmentation,
        "residual within 1 %": fixed(100 * result.converged, 0).within("{} %"),
        "seconds": fixed(result.provenance.seconds, 1),
    }
