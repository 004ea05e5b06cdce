"""The second difference of a loss along a vector: its curvature there by values of the loss alone.

Lanczos and its certificates use derivatives only. If these were of another function than the loss
is, the second difference would say so.

The loss of a network with kinks (ReLU, max pooling) bends at these, too, where the Hessian has
nothing; its second difference contains that.
"""

import math

import torch
from torch import Tensor

from landscape.estimates import Estimate
from landscape.objective.objective import Objective
from landscape.objective.twin import Twin
from landscape.runtime.isolation import isolated

# The longest step is the norm of the weights times the fourth root of the rounding. It is halved so
# often at most, and no more where so many halvings in a row made the error no smaller.
HALVINGS = 7
VAIN_HALVINGS = 2


def second_difference(objective: Objective, vector: Tensor) -> Estimate:
    """(L(theta + h v) - 2 L(theta) + L(theta - h v)) / h^2, in float64 if the model takes it.

    The step h is halved until what that changes, after an extrapolation by which the fourth
    derivative drops out, and what rounding may change are least together.

    Args:
        objective: the loss L.
        vector: a vector along v, which has unit norm, of shape (P,).

    Returns:
        The second difference; its ``stderr`` is what the last halving changed, plus rounding.

    Example:
        >>> pairs = lanczos(CurvatureOperator(objective), 1, torch.Generator().manual_seed(0))
        >>> difference = second_difference(objective, pairs.vectors[:, 0])
        >>> abs(difference.value - pairs.eigenvalues[0].item()) < 1e-3
        True
    """
    with isolated(), torch.set_grad_enabled(objective.needs_gradients):
        twin, _, _ = Twin.with_loss(objective.module, objective.criterion, objective.batches[:1])
        # A unit vector of float32 has unit norm but for rounding, which the error does not contain.
        direction = vector.to(twin.theta)
        direction = direction / torch.linalg.vector_norm(direction)

        def loss(distance: float) -> float:
            theta = twin.theta + distance * direction
            total = sum(
                twin.loss_at(twin.cast(batch), theta).item() * batch.weight
                for batch in objective.batches
            )
            return total / objective.total_weight

        middle = loss(0.0)
        norm = max(torch.linalg.vector_norm(twin.theta).item(), 1.0)
        step = norm * twin.epsilon**0.25
        best, vain = Estimate(math.nan, math.inf), 0
        differences: list[float] = []
        extrapolated: list[float] = []
        for _ in range(HALVINGS + 1):
            differences.append((loss(step) - 2 * middle + loss(-step)) / (step * step))
            if len(differences) > 1:
                extrapolated.append((4 * differences[-1] - differences[-2]) / 3)
            if len(extrapolated) > 1:
                rounding = 4 * twin.epsilon * abs(middle) / (step * step)
                error = abs(extrapolated[-1] - extrapolated[-2]) + rounding
                vain = 0 if error < best.stderr else vain + 1
                if error < best.stderr:
                    best = Estimate(extrapolated[-1], error)
                if vain == VAIN_HALVINGS:
                    break
            step /= 2
    return best
