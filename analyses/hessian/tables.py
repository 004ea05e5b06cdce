"""The tables of a Hessian-spectrum report."""

import math
from collections.abc import Sequence

from analyses.drawing.numbers import (
    NumberText,
    bound_text,
    estimate_text,
    fixed,
    number,
    with_error,
    with_residual,
)
from analyses.hessian.component_tables import component_rows, end_text
from analyses.hessian.eigenvalues import LARGEST, SMALLEST
from analyses.hessian.result import Spectrum

Rows = list[dict[str, str]]
OF_COMPONENTS = "Largest eigenvalue of each component, ± sampling error (relative residual)"
LEAST_OF_COMPONENTS = "Smallest eigenvalue of each component, ± sampling error (relative residual)"
EIGENVALUES = "Eigenvalues, ± sampling error (relative residual, which bounds the relative error)"
HELD_OUT = "λ_max of all the data, from halves of the sample (± sampling error)"
UNCONVERGED = "{}, not converged"
SHOWN = 10  # eigenvalues in the table; the files have them all


def tabulate(results: Sequence[Spectrum]) -> dict[str, Rows]:
    """The report's tables by caption; those for which nothing was measured are left out."""
    tables = {
        "Spectrum": [_summary(result) for result in results],
        HELD_OUT: [_held_out(result) for result in results if result.held_out is not None],
        EIGENVALUES: _eigenvalues(results),
        OF_COMPONENTS: component_rows(results),
        LEAST_OF_COMPONENTS: component_rows(results, SMALLEST),
        "Sharpness in context": [_context(result) for result in results],
        "Method and cost": [_cost(result) for result in results],
    }
    return {caption: rows for caption, rows in tables.items() if rows}


def _summary(result: Spectrum) -> dict[str, str]:
    row = {
        "checkpoint": result.label,
        "λ_max, ± sampling error (relative residual)": end_text(result.ends, LARGEST, LARGEST),
        "λ_min, ± sampling error (relative residual)": end_text(result.ends, SMALLEST, SMALLEST),
        "largest relative residual": bound_text(result.residuals.max()),
        "converged": "all" if result.converged.all() else f"{result.converged.sum()} only",
    }
    return row | _of_density(result)


def _of_density(result: Spectrum) -> dict[str, str]:
    trace, frobenius = (
        "trace, ± standard error of probes",
        "‖H‖ (Frobenius), ± standard error of probes",
    )
    negative = "negative share of Σ|λ|, %"
    if not result.settings.probes:
        return dict.fromkeys((trace, frobenius, negative), "not measured")
    dof = result.quadrature.dof
    share, error = result.quadrature.negative_share
    return {
        trace: with_error(result.trace.value, result.trace.stderr, dof),
        frobenius: with_error(result.frobenius.value, result.frobenius.stderr, dof),
        negative: with_error(100 * share, 100 * error, dof),
    }


def _held_out(result: Spectrum) -> dict[str, str]:
    """In the mean over samples all the data's is between the first and the last number."""
    halves, largest = result.held_out, float(result.ends.values[LARGEST])
    assert halves is not None
    error = float(result.ends.sampling_errors[LARGEST])
    form = "{}" if halves.converged.all() else UNCONVERGED
    of_all = form if result.ends.converged[LARGEST] else UNCONVERGED
    lower = estimate_text(halves.lower)
    return {
        "checkpoint": result.label,
        "held out (biased downwards)": lower.within(form),
        "extrapolated to all": with_error(halves.extrapolated(largest), error).within(of_all),
        "λ_max of the sample (biased upwards)": end_text(result.ends, LARGEST, LARGEST),
        "mean of the halves' λ_max": number(float(halves.eigenvalues.mean())).within(form),
        "products of half the sample": f"{halves.products}",
        "samples of a half": f"{result.provenance.num_samples // 2:,}",
    }


def _eigenvalues(results: Sequence[Spectrum]) -> Rows:
    count = min(SHOWN, max(len(result.eigenvalues) for result in results))
    return [
        {
            "checkpoint": result.label,
            "second difference of the loss along v₁, ± its error": _second_difference(result),
            **{
                f"λ{_subscript(k + 1)}": with_residual(
                    float(result.eigenvalues[k]),
                    float(result.residuals[k]),
                    bool(result.converged[k]),
                    float(result.sampling_errors[k]),
                )
                if k < len(result.eigenvalues)
                else "–"
                for k in range(count)
            },
        }
        for result in results
    ]


def _second_difference(result: Spectrum) -> str:
    """It is to be compared with the first eigenvalue, which stands beside it."""
    difference = result.second_difference
    if math.isnan(difference.value):
        return "–"
    return NumberText(f"{difference.value:.5g} ± {difference.stderr:.0e}", difference.value)


def _context(result: Spectrum) -> dict[str, str]:
    edges, largest = result.edges, float(result.ends.values[LARGEST])
    return {
        "checkpoint": result.label,
        "loss, ± sampling error": with_error(result.loss, result.loss_stderr),
        "‖gradient‖": number(result.gradient_norm),
        "|cos(gradient, v₁)|": number(result.cosine),
        "learning rate": number(edges["lr"]) if edges else "–",
        "λ_max / edge of stability": _ratio(largest, edges.get("edge")),
        "λ_max / SAM's edge": _ratio(largest, edges.get("sam_edge")),
    }


def _ratio(eigenvalue: float, edge: float | None) -> str:
    return number(eigenvalue / edge) if edge and not math.isnan(eigenvalue) else "–"


def _cost(result: Spectrum) -> dict[str, str]:
    settings = result.settings
    whole = result.products - result.block_products
    loss = f", L2 {settings.l2:g}" if settings.l2 else ""
    return {
        "checkpoint": result.label,
        "matrix": settings.matrix + loss,
        "method": settings.method,
        "probes × steps": f"{settings.probes} × {settings.density_steps}"
        if settings.probes
        else "none",
        "residuals measured in": f"float{result.residual_bits}",
        "products": f"{whole}",
        "of components": f"{result.block_products}",
        "samples": f"{result.provenance.num_samples:,}",
        "parameters": f"{result.provenance.num_parameters:,}",
        "seconds": fixed(result.provenance.seconds, 1),
    }


def _subscript(rank: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(rank))
