"""Operations whose second derivative torch gets wrong or lacks, written out in other operations.

By backward passes (:data:`BACKWARD`) the second derivative of weight normalisation takes the norms
for constants (torch 2.13), so that the Hessian is not even symmetric; those of the hard sigmoid, of
embedding bags and of pairwise distances are not implemented. In forward mode (:data:`FORWARD_MODE`)
that of layer norm takes mean and variance for constants. Values and first derivatives are the same
to rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class PlainForms(TorchFunctionMode):
    """Within this context operations are replaced by their written-out forms.

    Args:
        forms: what replaces which operation; by default :data:`BACKWARD`.
    """

    def __init__(
        self, forms: Mapping[Callable[..., Any], Callable[..., Any]] | None = None
    ) -> None:
        super().__init__()
        self._forms = BACKWARD if forms is None else forms

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func``, or what replaces it."""
        return self._forms.get(func, func)(*args, **(kwargs or {}))


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """``v`` with the norms ``g`` over all dimensions but ``dim`` (Salimans and Kingma, 2016)."""
    return v * (g / torch.norm_except_dim(v, 2, dim))


def _hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:  # noqa: A002, ARG001
    return F.relu6(input + 3) / 6


def _embedding_bag(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    if mode == "max" or max_norm is not None or scale_grad_by_freq:
        return F.embedding_bag(
            input,
            weight,
            offsets,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            per_sample_weights,
            include_last_offset,
            padding_idx,
        )
    entries = torch.arange(input.numel(), device=input.device)
    if offsets is None:  # every row is a bag
        count, bags = len(input), entries // max(1, input.shape[1])
    else:
        count = len(offsets) - include_last_offset
        bags = torch.searchsorted(offsets[:count].contiguous(), entries, right=True) - 1
    indices = input.reshape(-1)
    counted = torch.ones_like(indices, dtype=weight.dtype)
    if padding_idx is not None:
        counted = (indices != padding_idx).to(weight.dtype)
    share = counted if per_sample_weights is None else counted * per_sample_weights.reshape(-1)
    rows = weight[indices] * share.unsqueeze(1)
    total = weight.new_zeros(count, weight.shape[1]).index_add(0, bags, rows)
    if mode == "sum":
        return total
    sizes = counted.new_zeros(count).index_add(0, bags, counted)
    return total / sizes.clamp(min=1).unsqueeze(1)


def _distances(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:  # noqa: ARG001
    return torch.linalg.vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, dim=-1)


def _layer_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,  # noqa: ARG001
) -> Tensor:
    axes = list(range(-len(normalized_shape), 0))
    centred = input - input.mean(axes, keepdim=True)
    normal = centred * torch.rsqrt((centred * centred).mean(axes, keepdim=True) + eps)
    if weight is not None:
        normal = normal * weight
    return normal if bias is None else normal + bias


BACKWARD: dict[Callable[..., Any], Callable[..., Any]] = {
    torch._weight_norm: _weight_norm,
    F.hardsigmoid: _hardsigmoid,
    F.embedding_bag: _embedding_bag,
    torch.cdist: _distances,
}
FORWARD_MODE: dict[Callable[..., Any], Callable[..., Any]] = {
    F.layer_norm: _layer_norm,
    torch.layer_norm: _layer_norm,
}
