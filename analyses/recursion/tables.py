"""The report's tables of layer Hessians."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.drawing.numbers import bound_text, with_error, with_residual
from analyses.recursion.result import TOLERANCE, Recursion


def tabulate(results: Sequence[Recursion]) -> dict[str, list[dict[str, str]]]:
    """Two tables with a row for each checkpoint, of its first MLP layer and of its last one."""
    return {
        "First MLP layer": [_row(result, result.ends[0]) for result in results],
        "Last MLP layer": [_row(result, result.ends[1]) for result in results],
    }


def _row(result: Recursion, n: int) -> dict[str, str]:

    def mean(values: NDArray[np.float64], dof: int, scale: float = 1.0) -> str:
        return with_error(scale * float(values[n, 0]), scale * float(values[n, 1]), dof)

    block, residual, error = (
        float(values[n]) for values in (result.blocks, result.block_residuals, result.block_stderr)
    )
    return {
        "checkpoint": result.label,
        "layer": result.layers[n],
        "‖a‖² ± standard error": mean(result.inputs, result.dof),
        "of a token": mean(result.tokens, result.dof),
        "|f'| > 0.1, % ± standard error": (
            "no activation"
            if np.isnan(result.active[n, 0])
            else mean(result.active, result.dof, 100.0)
        ),
        "|λ|(ℋ), mean ± standard error": mean(result.magnitudes, result.dof_of_hessians),
        "largest residual": bound_text(result.residuals[n].max()),
        "λ of the weight's block ± sampling error (residual)": (
            "frozen"
            if np.isnan(block)
            else with_residual(block, residual, residual <= TOLERANCE, error)
        ),
        "bound ± standard error": mean(result.bounds, result.dof_of_hessians),
        "samples": f"{result.eigenvalues.shape[1]} of {result.provenance.num_samples}",
    }
