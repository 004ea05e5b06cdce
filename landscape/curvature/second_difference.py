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

# The step relative to the norm of the weights, in units of the fourth root of the rounding. Shorter
# ones meet single kinks of ReLU networks, each of which weighs more the shorter the step.
SHARES = {torch.float64: 1.0}


def second_difference(objective: Objective, vector: Tensor) -> Estimate:
    """(L(theta + h v) - 2 L(theta) + L(theta - h v)) / h^2, in float64 if the model takes it.

    It is extrapolated from the steps h and 2h, so that the fourth derivative drops out.

    Args:
        objective: the loss L.
        vector: the unit vector v, of shape (P,).

    Returns:
        The second difference; its ``stderr`` is what the step changed, and what rounding may.

    Example:
        >>> pairs = lanczos(CurvatureOperator(objective), 1, torch.Generator().manual_seed(0))
        >>> difference = second_difference(objective, pairs.vectors[:, 0])
        >>> abs(difference.value - pairs.eigenvalues[0].item()) < 1e-3
        True
    """
    first, with_gradients = objective.batches[0], objective.needs_gradients
    with isolated(), torch.set_grad_enabled(with_gradients):
        twin, _, _ = Twin.with_loss(objective.module, objective.criterion, [first])
        # Where truncation, of order h^2, and rounding, of order 1/h^2, meet.
        norm = max(torch.linalg.vector_norm(twin.theta).item(), 1.0)
        step = SHARES.get(twin.value_type, 0.3) * norm * twin.epsilon**0.25
        direction = vector.to(twin.theta)

        def loss(distance: float) -> float:
            theta = twin.theta + distance * direction
            total = sum(
                twin.loss_at(twin.cast(batch), theta).item() * batch.weight
                for batch in objective.batches
            )
            return total / objective.total_weight

        middle = loss(0.0)
        near, far = ((loss(h) - 2 * middle + loss(-h)) / (h * h) for h in (step, 2 * step))
    rounding = 4 * twin.epsilon * abs(middle) / (step * step)
    return Estimate((4 * near - far) / 3, math.hypot((near - far) / 3, rounding))
