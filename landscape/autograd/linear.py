"""A linear layer whose backward pass is an operation with a cheap derivative of its own.

Its products go through oneDNN where torch has it: on processors that are not Intel's, MKL, which
torch uses for matrix products, is half as fast (benchmarks/RESULTS.md).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from landscape.autograd.skipped import SkippedParameters


def linear(
    input: Tensor,  # noqa: A002  (torch's own names, which callers may use)
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    skipped: SkippedParameters,
) -> Tensor:
    """The same as ``torch.nn.functional.linear``.

    Backward passes do not compute the derivatives of those weights that are among ``skipped`` at
    the time.
    """
    if weight.dim() != 2 or input.dim() == 0:
        return torch.nn.functional.linear(input, weight, bias)
    apply: Callable[..., Tensor] = _Linear.apply
    rows = apply(input.reshape(-1, input.shape[-1]), weight, bias, skipped)
    return rows.view(*input.shape[:-1], len(weight))


class _Linear(Function):
    """The layer of x (M, K), weight (N, K) and bias (N,) or None."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, skipped: SkippedParameters
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.skipped = skipped
        return _product(x, weight) if bias is None else _product(x, weight).add_(bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        apply: Callable[..., Any] = _LinearBackward.apply
        of_x, of_weight, of_bias, _ = ctx.needs_input_grad
        wanted = (of_x, of_weight and weight not in ctx.skipped, of_bias)
        return (*apply(gradient, x, weight, wanted, ctx.skipped), None)


class _LinearBackward(Function):
    """The gradients of those among input, weight and bias that are ``wanted``."""

    @staticmethod
    def forward(
        ctx: Any,
        gradient: Tensor,
        x: Tensor,
        weight: Tensor,
        wanted: Any,
        skipped: SkippedParameters,
    ) -> Any:
        ctx.save_for_backward(gradient, x, weight)
        ctx.skipped = skipped
        ctx.set_materialize_grads(False)
        return (
            _product(gradient, weight.t()) if wanted[0] else None,
            _product(gradient.t(), x.t()) if wanted[1] else None,
            gradient.sum(0) if wanted[2] else None,
        )

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_x: Tensor | None, of_weight: Tensor | None, of_bias: Tensor | None
    ) -> Any:
        """The derivatives of <u, g w> + <v, g' x> + <c, sum g> with respect to g, x and w.

        g is the incoming gradient; u, v and c are the vectors that the gradients of x, w and b are
        multiplied by.
        """
        gradient, x, weight = ctx.saved_tensors
        along = torch.zeros_like(gradient) if of_x is None else _product(of_x, weight)
        if of_weight is not None:
            along += _product(x, of_weight)
        if of_bias is not None:
            along += of_bias
        to_x = to_weight = None
        if of_weight is not None and ctx.needs_input_grad[1]:
            to_x = _product(gradient, of_weight.t())
        if of_x is not None and ctx.needs_input_grad[2] and weight not in ctx.skipped:
            to_weight = _product(gradient.t(), of_x.t())
        return along, to_x, to_weight, None, None


def _product(a: Tensor, b: Tensor) -> Tensor:
    """The product a b' of a (M, K) and b (N, K)."""
    if a.device.type == "cpu" and a.dtype == torch.float32 and _has_onednn() and a.numel():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
        return product
    return a @ b.t()


def _has_onednn() -> bool:
    """Whether this torch has the linear layer that torch.compile uses on processors."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
