"""A linear layer whose backward pass is an operation with a cheap derivative of its own.

Its products go through oneDNN where it can be had: on processors that are not Intel's, MKL, which
torch uses for matrix products, is half as fast (benchmarks/RESULTS.md).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from landscape.autograd.gradient_graph import is_skipped


def linear(
    input: Tensor,  # noqa: A002  (torch's own names, which callers may use)
    weight: Tensor,
    bias: Tensor | None = None,
) -> Tensor:
    """The same as ``torch.nn.functional.linear``."""
    if weight.dim() != 2 or input.dim() == 0:
        return torch.nn.functional.linear(input, weight, bias)
    apply: Callable[..., Tensor] = _Linear.apply
    rows = apply(input.reshape(-1, input.shape[-1]), weight, bias)
    return rows.view(*input.shape[:-1], len(weight))


class _Linear(Function):
    """x (M, K), weight (N, K), bias (N,) or None."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight) if bias is None else _product(x, weight).add_(bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        apply: Callable[..., Any] = _LinearBackward.apply
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return apply(gradient, x, weight, (of_x, of_weight and not is_skipped(weight), of_bias))


class _LinearBackward(Function):
    """The gradients of input, weight and bias, as far as ``wanted``."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor, wanted: Any) -> Any:
        ctx.save_for_backward(gradient, x, weight)
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
        """With g the gradient and u, v, c what stands for those of x, w, b, the scalar is
        <u, g w> + <v, g' x> + <c, sum g>.
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
        if of_x is not None and ctx.needs_input_grad[2] and not is_skipped(weight):
            to_weight = _product(gradient.t(), of_x.t())
        return along, to_x, to_weight, None


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a b' of a (M, K) and b (N, K)."""
    if a.device.type == "cpu" and a.dtype == torch.float32 and _has_onednn() and a.numel():
        found: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
        return found
    return a @ b.t()


def _has_onednn() -> bool:
    """Whether this torch has the linear layer that its own compiler uses on processors."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
