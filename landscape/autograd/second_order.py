"""Operations whose second derivatives are as cheap as they can be.

A Hessian-vector product by double backward differentiates the backward pass. For a convolution
torch does that by general formulas, convolutions over transposed batches and channels, which take
three quarters of the time of the product (benchmarks/RESULTS.md). Within :class:`SecondOrder` the
backward pass of a convolution or a linear layer is an operation of its own, whose derivative takes
two forward products and one ordinary backward pass, which is the least possible. The numbers agree
with torch's to rounding.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from landscape.autograd.convolution import CONVOLUTIONS, convolution
from landscape.autograd.linear import linear
from landscape.autograd.skipped import SkippedParameters


class SecondOrder(TorchFunctionMode):
    """Within this context convolutions, linear layers and eval-mode BatchNorms are replaced.

    Args:
        skipped: states which parameters a backward pass leaves out; give the same object to the
            :class:`landscape.autograd.gradient_graph.GradientGraph` of what is recorded here.
    """

    def __init__(self, skipped: SkippedParameters | None = None) -> None:
        super().__init__()
        self._skipped = skipped or SkippedParameters()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func``, or what replaces it."""
        kwargs = kwargs or {}
        if func in CONVOLUTIONS:
            return convolution(func, *args, **kwargs)
        if func is F.linear:
            return linear(*args, **kwargs, skipped=self._skipped)
        if func is F.batch_norm:
            return _batch_norm(*args, **kwargs)
        return func(*args, **kwargs)


def _batch_norm(
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if training or running_mean is None or running_var is None:
        return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    scale = torch.rsqrt(running_var + eps)
    if weight is not None:
        scale = scale * weight
    shift = -running_mean * scale if bias is None else bias - running_mean * scale
    shape = (1, -1, *[1] * (input.dim() - 2))
    return torch.addcmul(shift.view(shape), input, scale.view(shape))
