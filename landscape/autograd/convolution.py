"""A convolution whose backward pass is an operation with a cheap derivative of its own."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

CONVOLUTIONS: dict[Any, int] = {torch.conv1d: 1, torch.conv2d: 2, torch.conv3d: 3}


def convolution(
    func: Callable[..., Tensor],
    input: Tensor,  # noqa: A002  (torch's own names, which callers may use)
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """The same as calling ``func``, one of :data:`CONVOLUTIONS`."""
    dimensions = CONVOLUTIONS[func]
    if isinstance(padding, str) or input.dim() != dimensions + 2:
        return func(input, weight, bias, stride, padding, dilation, groups)
    geometry = (
        _each(stride, dimensions),
        _each(padding, dimensions),
        _each(dilation, dimensions),
        False,
        (0,) * dimensions,
        groups,
    )
    apply: Callable[..., Tensor] = _Convolution.apply
    return apply(input, _layout(weight), bias, geometry)


class _Convolution(Function):
    """A convolution; ``geometry`` holds what torch.convolution takes after the bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return torch.convolution(x, weight, bias, *geometry)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        wanted = tuple(ctx.needs_input_grad[:3])
        apply: Callable[..., tuple[Tensor, ...]] = _ConvolutionBackward.apply
        return (*apply(gradient, x, weight, ctx.geometry, wanted), None)


class _ConvolutionBackward(Function):
    """The gradients of those among input, weight and bias that are ``wanted``."""

    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor, geometry: Any, wanted: Any
    ) -> tuple[Tensor, ...]:
        gradient = _layout(gradient)
        ctx.save_for_backward(gradient, x, weight)
        ctx.set_materialize_grads(False)
        ctx.geometry = geometry
        return _backward(gradient, x, weight, geometry, wanted)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_x: Tensor | None, of_weight: Tensor | None, of_bias: Tensor | None
    ) -> Any:
        """The derivatives of <u, conv'(g, w)> + <v, g * x> + <c, sum g> by g, x and w.

        g is the incoming gradient; u, v and c are the vectors that the gradients of x, w and b are
        multiplied by. The scalar is bilinear in each pair.
        """
        gradient, x, weight = ctx.saved_tensors
        along = torch.zeros_like(gradient)
        if of_x is not None:
            along = torch.convolution(_layout(of_x), weight, of_bias, *ctx.geometry)
        elif of_bias is not None:
            along = along + of_bias.view(-1, *[1] * (gradient.dim() - 2))
        if of_weight is not None:
            of_weight = _layout(of_weight)
            along = along + torch.convolution(x, of_weight, None, *ctx.geometry)
        # The derivative by x needs v, that by w needs u; one backward pass gives both.
        wanted = (
            ctx.needs_input_grad[1] and of_weight is not None,
            ctx.needs_input_grad[2] and of_x is not None,
            False,
        )
        to_x, to_weight = None, None
        if any(wanted):
            to_x, to_weight, _ = _backward(
                gradient,
                x if of_x is None else _layout(of_x),
                weight if of_weight is None else of_weight,
                ctx.geometry,
                wanted,
            )
        return along, to_x, to_weight, None, None


def _backward(
    gradient: Tensor, x: Tensor, weight: Tensor, geometry: Any, wanted: Sequence[bool]
) -> tuple[Tensor, ...]:
    gradients: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        gradient, x, weight, [len(weight)], *geometry, list(wanted)
    )
    return gradients


def _layout(tensor: Tensor) -> Tensor:
    """The tensor with its channels last on processors, where that is faster to convolve."""
    if tensor.dim() == 4 and tensor.device.type == "cpu":
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor


def _each(value: int | Sequence[int], dimensions: int) -> tuple[int, ...]:
    """The value of every dimension, of one for all of them or one for each."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * dimensions if len(values) == 1 else values
