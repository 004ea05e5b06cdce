"""The curvature matrices that can be multiplied with vectors.

- ``hessian``: of the loss.
- ``ggn``: the generalised Gauss-Newton matrix (Schraudolph, 2002), mean of J'CJ with the Jacobian
  J of the outputs and the Hessian C of the loss with respect to them; never negative for a convex
  loss, and for cross-entropy the Fisher matrix.
- ``fisher``: the empirical Fisher matrix, the mean of gg' over the gradients g of single samples.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from landscape.autograd.gradient_graph import CurvatureGraph, GaussNewtonGraph, GradientGraph
from landscape.autograd.skipped import SkippedParameters
from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective

MakeGraph = Callable[[Objective, Batch, Any, float, SkippedParameters], CurvatureGraph]


def hessian_graph(
    objective: Objective, batch: Batch, outputs: Any, weight: float, skipped: SkippedParameters
) -> GradientGraph:
    """The Hessian of the batch's mean loss, times ``weight``."""
    loss = weight * objective.loss_of(outputs, batch)
    return GradientGraph(loss, objective.parameters, skipped)


def gauss_newton_graph(
    objective: Objective, batch: Batch, outputs: Any, weight: float, skipped: SkippedParameters
) -> GaussNewtonGraph:
    """The Gauss-Newton matrix of the batch's mean loss, times ``weight``."""
    is_step = objective.criterion.step is not None
    if is_step or not isinstance(outputs, Tensor):
        given = "a training step, which shows none" if is_step else type(outputs).__name__
        raise NotMeasurableError(
            f"the Gauss-Newton matrix needs outputs that are one tensor, got {given}; "
            "use the hessian"
        )
    point = outputs.detach().requires_grad_()
    slope = GradientGraph(weight * objective.loss_of(point, batch), [point])

    def curve(vector: Tensor) -> Tensor:
        return slope.products(vector.reshape(-1, 1), keep=True).reshape(outputs.shape)

    loss = weight * objective.loss_of(outputs, batch)
    return GaussNewtonGraph(loss, outputs, curve, objective.parameters, skipped)


def fisher_graph(
    objective: Objective, batch: Batch, outputs: Any, weight: float, skipped: SkippedParameters
) -> GaussNewtonGraph:
    """The empirical Fisher matrix of the batch, times ``weight``."""
    losses = objective.criterion.equal_sample_losses(outputs, batch)
    if losses is None:
        raise NotMeasurableError(
            "the empirical Fisher matrix needs a loss that can be computed sample by sample and "
            "counts the samples equally; use the hessian"
        )
    share = weight / batch.size
    return GaussNewtonGraph(
        share * losses.sum(), losses, lambda v: share * v, objective.parameters, skipped
    )


MATRICES: dict[str, MakeGraph] = {
    "hessian": hessian_graph,
    "ggn": gauss_newton_graph,
    "fisher": fisher_graph,
}
