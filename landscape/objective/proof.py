"""The proof, before anything is measured, that values and derivatives are of one function.

The loss has to depend on the objective's own parameters and on no others, its value has to be the
same with and without gradients, and its slope along the gradient has to be the gradient's norm.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor, nn

from landscape.data.batches import Batch
from landscape.errors import InputError
from landscape.objective.batching_check import check_independent_of_batching
from landscape.objective.checks import check_no_batch_statistics, check_same_value
from landscape.objective.criterion import Criterion
from landscape.objective.eval_copy import differentiable
from landscape.objective.losses import LossFunction
from landscape.objective.model_call import measure_metric
from landscape.objective.twin import Twin
from landscape.parameters.layout import flatten

# The proof is made with so many samples of the first batch.
SAMPLES = 16
# Steps of the central difference relative to the norm of the weights, the first that agrees counts:
# kinks and steep losses spoil the longer ones, rounding the shorter ones.
STEPS = {
    torch.float64: (1e-5, 1e-6, 1e-4, 1e-7, 1e-3, 1e-9, 1e-11),
    torch.float32: (1e-3, 1e-4, 1e-2, 3e-5),
}
# The largest difference of slope and gradient norm, relative to the norm.
SLOPE_TOLERANCE = 1e-3
# Slopes that differ by at most this share of the larger are of a loss that is straight so far.
STEADY = 0.1
# A step for which rounding may be more, relative to the norm, says nothing.
LARGEST_ROUNDING = 0.1


@dataclass(frozen=True)
class Proof:
    """The proof that a loss is a repeatable mean, and its derivatives those of that mean.

    Attributes:
        module: in evaluation mode; it is not changed.
        criterion: the loss of a batch.
        metrics: further functions of the outputs.
        with_gradients: whether values are computed with gradients enabled.
    """

    module: nn.Module
    criterion: Criterion
    metrics: Mapping[str, LossFunction]
    with_gradients: bool

    def check(self, batches: Sequence[Batch]) -> None:
        """Raise InputError if the proof fails for these batches; it says why and what to do."""
        check_no_batch_statistics(self.module, batches)
        with torch.set_grad_enabled(self.with_gradients):
            twin, batch, value = Twin.with_loss(self.module, self.criterion, _smallest(batches[0]))
        with differentiable(twin.module):
            gradient = self._proved_gradient(twin, batch, value)
        with torch.set_grad_enabled(self.with_gradients):
            if math.isfinite(value) and bool(gradient.isfinite().all()):
                _check_slope(twin, batch, value, gradient)
            check_independent_of_batching(twin, self.module, self.criterion, batches)

    def _proved_gradient(self, twin: Twin, batch: Batch, value: float) -> Tensor:
        """The gradient of a batch's loss, which is that of the twin's parameters and no others."""
        module, criterion = twin.module, twin.criterion
        outputs = criterion.call(module, batch)
        loss = criterion.mean(outputs, batch)
        check_leaves(twin, batch, loss, "the loss")
        if criterion.step is None:
            for name, metric in self.metrics.items():
                measured = measure_metric(metric, outputs, batch)
                if isinstance(measured, Tensor):
                    check_leaves(twin, batch, measured, f"the metric {name}")
        check_same_value(twin, batch, value, loss.item())
        return _gradient(module, loss)


def _smallest(batch: Batch) -> list[Batch]:
    """The first samples of a batch, and all of it, for a model that takes no part of one."""
    few = batch.slice(0, SAMPLES) if batch.size > SAMPLES and not batch.is_whole else batch
    return [few, batch] if few.size < batch.size else [batch]


def check_leaves(twin: Twin, batch: Batch, value: Tensor, what: str) -> None:
    """Check that a value depends on no parameter that is not the module's.

    Tensors that a forward pass makes itself, to take derivatives by its inputs, are others in each
    pass, and no parameters of anything.

    Raises:
        InputError: if it does; the message says what to pass instead.
    """
    leaves = _foreign_leaves(twin.module, value)
    if not leaves:
        return
    again = {id(leaf) for leaf in _foreign_leaves(twin.module, twin.loss(batch))}
    for leaf in leaves:
        if not isinstance(leaf, nn.Parameter) and id(leaf) not in again:
            continue
        cure = "make it of what step is given, or call requires_grad_(False) on a constant"
        if twin.criterion.step is None:
            cure = (
                "pass step=f(model, batch) in place of the loss and use that model in it, or call "
                "requires_grad_(False) on a constant"
            )
        raise InputError(
            f"{what} depends on a tensor of shape {tuple(leaf.shape)} that requires gradients and "
            "is no parameter of the model that is measured, which is a copy of yours (does the "
            f"function use your own model?): {cure}"
        )


def _foreign_leaves(module: nn.Module, value: Tensor) -> list[Tensor]:
    """The leaves that a value depends on by differentiable operations, but for the parameters."""
    memory = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}

    def is_foreign(leaf: Tensor) -> bool:
        return leaf.layout != torch.strided or leaf.untyped_storage().data_ptr() not in memory

    leaves: list[Tensor] = []
    if value.grad_fn is None:
        return [value] if value.requires_grad and is_foreign(value) else []
    seen, waiting = {value.grad_fn}, [value.grad_fn]
    while waiting:
        node = waiting.pop()
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor) and is_foreign(leaf):
            leaves.append(leaf)
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return leaves


def _gradient(module: nn.Module, loss: Tensor) -> Tensor:
    parameters = [p for p in module.parameters() if p.requires_grad]
    pieces: tuple[Tensor | None, ...] = (None,)
    if loss.requires_grad:
        try:
            pieces = torch.autograd.grad(loss, parameters, allow_unused=True)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            if "heckpoint" in reason:
                raise InputError(
                    "the model uses reentrant checkpointing, through which torch takes no gradient "
                    "by parameters: pass use_reentrant=False to torch.utils.checkpoint.checkpoint"
                ) from error
            raise InputError(f"the backward pass of the loss fails: {reason}") from error
    if all(piece is None for piece in pieces):
        raise InputError(
            "no gradient of the loss reaches the model's parameters: the forward pass or the loss "
            "runs under torch.no_grad() or within reentrant checkpointing, detaches a result "
            "(also by .item() or numpy), or does not use the model"
        )
    return flatten(
        torch.zeros_like(parameter) if piece is None else piece.to_dense()
        for parameter, piece in zip(parameters, pieces, strict=True)
    )


def _check_slope(twin: Twin, batch: Batch, value: float, gradient: Tensor) -> None:
    """Compare the slope of the loss along its gradient with the gradient's norm.

    Nothing is compared where the gradient is 0, or so small that all steps drown in rounding. A
    gradient is refused if slopes over two steps agree with each other and not with it: where they
    differ the loss is too steep for a difference to be a slope.
    """
    norm = torch.linalg.vector_norm(gradient).item()
    scale = max(torch.linalg.vector_norm(twin.theta).item(), 1e-3)
    slopes: list[float] = []
    for step in STEPS.get(twin.value_type, STEPS[torch.float32]) if norm else ():
        h = step * scale
        ahead, behind = (
            twin.loss_at(batch, twin.theta + sign * h / norm * gradient).item() for sign in (1, -1)
        )
        if not (math.isfinite(ahead) and math.isfinite(behind)):
            continue
        # Losses near 0 are differences of numbers of order 1.
        rounding = 8 * twin.epsilon * max(abs(value), abs(ahead), abs(behind), 1.0) / h
        if rounding > LARGEST_ROUNDING * norm:
            continue
        slope = (ahead - behind) / (2 * h)
        if abs(slope - norm) <= SLOPE_TOLERANCE * norm + rounding:
            return
        slopes.append(slope)
    steady = [a for a, b in combinations(slopes, 2) if abs(a - b) <= STEADY * max(abs(a), abs(b))]
    if steady:
        raise InputError(
            f"the slope of the loss along its gradient is {steady[0]:.6g}, but the gradient's norm "
            f"{norm:.6g}: a backward pass of the model or the loss gives no derivative of its "
            "forward pass (a straight-through estimator, a gradient reversal, a hook?)"
        )
