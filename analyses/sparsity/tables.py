"""The report's table of activation sparsity."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analyses.drawing.numbers import fixed, number, share_text, with_error
from analyses.sparsity.result import Sparsity

MLP = "MLP (Mixer: channel mixing), %, ± standard error"


def tabulate(results: Sequence[Sparsity]) -> dict[str, list[dict[str, str]]]:
    """One table with a row for each checkpoint."""
    return {"": [_row(result) for result in results]}


def _row(result: Sparsity) -> dict[str, str]:
    first, last = result.mlp_layers[0], result.mlp_layers[-1]
    row = {
        "checkpoint": result.label,
        "layers": str(len(result.layers)),
        "mean active, %, ± standard error": share_text(result.mean_share),
        f"first {MLP}": share_text(result.shares[first]),
        f"last {MLP}": share_text(result.shares[last]),
    }
    for threshold, above in zip(result.settings.thresholds, result.above, strict=True):
        row[f"mean above {threshold:g} × rms, %"] = fixed(100 * above[:, 0].mean(), 1)
    dead = rank = components = "–"
    if math.isfinite(result.dead[0]):  # a file of an earlier version has none of these
        dead = number(100 * float((result.dead * result.neurons).sum() / result.neurons.sum()))
        (rank, components) = (
            with_error(float(values[-1, 0]), float(values[-1, 1]), result.jackknife_dof)
            for values in (result.rank, result.components)
        )
    row["dead, % of all neurons"] = dead
    row["effective rank, last layer"] = rank
    row["components for 99 %, last layer"] = components
    return row
