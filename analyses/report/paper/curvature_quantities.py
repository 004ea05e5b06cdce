"""The quantities of the paper's tables that are about curvature, and the loss that it is of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from analyses.drawing.numbers import with_error
from analyses.hessian.eigenvalues import LARGEST, Eigenvalues
from analyses.report.paper.quantity import BIASED, LOWER_BOUND, Quantity, of_result
from analyses.report.paper.training_set import of_training_set
from landscape.parameters.components import ORDER
from landscape.results.result import Result

if TYPE_CHECKING:
    from analyses.components.result import ComponentCurvature
    from analyses.hessian.result import Spectrum


def sharpness(result: Spectrum | ComponentCurvature) -> Quantity:
    """The largest eigenvalue; its residual bounds how far the true one of the sample is."""
    value, error = _eigenvalue(result, result.ends, LARGEST)
    method = f"Lanczos; the error is that of sample and residual; {BIASED}"
    halves = getattr(result, "held_out", None)
    if halves is not None:
        lower = with_error(halves.lower.value, halves.lower.stderr)
        method += f", from halves at least {lower}, extrapolated {halves.extrapolated(value):.4g}"
    return of_result(
        result, value, error, method, caveat=_bound(bool(result.ends.converged[LARGEST]))
    )


def _eigenvalue(result: Result, values: Eigenvalues, place: int) -> tuple[float, float]:
    """An eigenvalue, and the error of its residual and of the sample together."""
    value = float(values.values[place])
    sampling_error = of_training_set(result, float(values.sampling_errors[place]))
    return value, math.hypot(value * float(values.residuals[place]), sampling_error)


def _bound(has_converged: bool) -> str:
    """The caveat of a largest eigenvalue: until it converges it is too small."""
    return "" if has_converged else LOWER_BOUND


def component(*names: str) -> Callable[[Spectrum | ComponentCurvature], Quantity | None]:
    """The first of these components that there is."""

    def read(result: Spectrum | ComponentCurvature) -> Quantity | None:
        parts = result.components
        for name in names:
            if name in parts.names:
                k = parts.names.index(name)
                value, error = _eigenvalue(result, parts.largest, k)
                method = f"Lanczos on the block; the error is that of sample and residual; {BIASED}"
                caveat = _bound(bool(parts.largest.converged[k]))
                return of_result(result, value, error, method, caveat=caveat)
        return None

    return read


def block(place: float) -> Callable[[Spectrum | ComponentCurvature], Quantity | None]:
    """The block at ``place``: 0 the first, 0.5 the middle one, 1 the last."""

    def read(result: Spectrum | ComponentCurvature) -> Quantity | None:
        named = {word.partition("=")[0] for word in result.settings.group}
        blocks = [name for name in result.components.names if name not in {*ORDER, *named}]
        if not blocks:
            return None
        return component(blocks[int(place * (len(blocks) - 1))])(result)

    return read


def training_loss(result: Any) -> Quantity:
    """The loss at the weights, of clean samples: not what a training logged on its batches."""
    penalty = f" + {result.settings.l2:g}/2 ‖θ‖²" if result.settings.l2 else ""
    method = f"{result.provenance.loss_name}{penalty} at w, eval mode, clean samples"
    error = of_training_set(result, result.loss_stderr)
    return of_result(result, result.loss, error, f"{method}; sampling error")
