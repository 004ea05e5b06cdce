"""The smallest and the largest eigenvalue of the Hessian at a point: is the loss convex there?

Li et al. (2018, section 6) map |lambda_min / lambda_max| over the plane. Their tool sums the
losses of batches where it should average them, which multiplies both by the number of batches;
here the Hessian is that of the mean loss.
"""

import math

import torch
from torch import Tensor

from landscape.curvature.lanczos import lanczos
from landscape.curvature.operators import HessianOperator
from landscape.errors import NotMeasurableError
from landscape.objective import Objective

TOLERANCE = 1e-2
SEED = 0


class _Shifted:
    """shift I - H: its largest eigenvalue is shift minus the smallest of H."""

    def __init__(self, operator: HessianOperator, shift: float) -> None:
        self.operator = operator
        self.shift = shift
        self.size, self.dtype, self.device = operator.size, operator.dtype, operator.device

    def matmat(self, vectors: Tensor) -> Tensor:
        return self.shift * vectors - self.operator.matmat(vectors)

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        return self.shift * vectors - self.operator.exact_matmat(vectors)


def extreme_eigenvalues(objective: Objective) -> list[float]:
    """Smallest and largest eigenvalue at the weights in place, and the larger relative residual.

    The residual is measured with the exact product and relative to the eigenvalue of largest
    magnitude. Where the loss or a derivative is not finite there are none: three nans.
    """
    if not math.isfinite(objective.loss()):
        return [math.nan] * 3
    operator = HessianOperator(objective)
    generator = torch.Generator().manual_seed(SEED)
    try:
        dominant = lanczos(operator, 1, generator, tolerance=TOLERANCE, copies=False)
    except NotMeasurableError:
        return [math.nan] * 3
    first, scale = dominant.eigenvalues[0].item(), abs(dominant.eigenvalues[0].item())
    if scale == 0:
        return [0.0, 0.0, 0.0]
    # The other end of the spectrum is dominant after a shift by the first.
    shifted = _Shifted(operator, first)
    other = lanczos(shifted, 1, generator, tolerance=TOLERANCE / 2, copies=False)
    distance = other.eigenvalues[0].item()
    second = first - distance
    residuals = (
        dominant.residuals[0].item(),
        other.residuals[0].item() * abs(distance) / scale,
    )
    return [min(first, second), max(first, second), max(residuals)]
