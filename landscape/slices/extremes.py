"""The smallest and the largest eigenvalue of the Hessian at a point: whether the loss is convex.

Li et al. (2018, section 6) map |lambda_min / lambda_max| over the plane. Their tool sums the
losses of batches where it should average them, which multiplies both by the number of batches;
here the Hessian is that of the mean loss.
"""

import math

import torch

from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.lanczos import lanczos
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective

TOLERANCE = 1e-2
SEED = 0


def extreme_eigenvalues(objective: Objective) -> list[float]:
    """The smallest and the largest eigenvalue of the Hessian at the weights in place.

    Returns:
        Both eigenvalues, and the larger of their residuals, measured with the exact product and
        relative to the eigenvalue of largest magnitude. Three nans where the loss or a derivative
        is not finite.
    """
    if not math.isfinite(objective.loss()):
        return [math.nan] * 3
    operator = CurvatureOperator(objective)
    generator = torch.Generator().manual_seed(SEED)
    try:
        # A repeated eigenvalue would be the same number again.
        pairs = lanczos(
            operator, 1, generator, tolerance=TOLERANCE, which="ends", multiplicity=False
        )
    except NotMeasurableError:
        return [math.nan] * 3
    values = pairs.eigenvalues
    scale = values.abs().max().item()
    if scale == 0:
        return [0.0, 0.0, 0.0]
    errors = pairs.residuals * values.abs() / scale
    return [values.min().item(), values.max().item(), errors.max().item()]
