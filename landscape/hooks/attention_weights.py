"""The attention weights of a forward pass, however the model computes them.

    A = softmax(scale Q K^T + mask), of shape (n, heads, queries, keys)

Three ways of computing attention are observed: ``F.scaled_dot_product_attention``, which does not
return its weights, so that they are computed again from its arguments; ``nn.MultiheadAttention``,
which is told to return them; and an explicit softmax. A softmax counts as attention if it runs
along the last of four dimensions, over more than one key, and is not called by a module named head
or classifier. Attention in TorchScript, in torch's flex_attention and by functions other than the
softmax is not observed.
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.hooks.module_path import ModuleMode

Observer = Callable[[str, Tensor], None]

SOFTMAXES = (F.softmax, torch.softmax, torch.special.softmax, Tensor.softmax)
_HEAD = re.compile(r"(^|\.)(head|classifier)(\.|$)")


@contextmanager
def watch_attention(model: nn.Module, observe: Observer) -> Iterator[None]:
    """Call an observer for every attention of every forward pass within this context.

    Within the context torch's fast path for encoder layers, which runs no Python, is off, and
    ``nn.MultiheadAttention`` takes its plain form, which differs by rounding from the fused one.

    Args:
        model: whose forward passes are observed.
        observe: called as ``observe(name, weights)``. The weights are of shape (n, heads,
            queries, keys), in the model's type but at least float32 where they are computed again;
            each row sums to 1. They are not kept after the call. The name is the path of the
            module that computes the attention, ``attention`` for the model itself; where that
            happens more than once in a pass, the later calls get ``:2``, ``:3``, ...

    Example:
        The mean attention of each head::

            with watch_attention(model, lambda name, weights: print(name, weights.mean((0, 2, 3)))):
                model(images)
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    watcher = _Watcher(model, observe)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with watcher, watcher.hooks():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def attention_weights(
    query: Tensor,
    key: Tensor,
    value: Tensor | None = None,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The weights inside ``F.scaled_dot_product_attention``, whose arguments these are.

    Values and dropout have no effect. Queries of shape (..., heads, q, d) and keys of shape
    (..., heads, k, d) give weights of shape (..., heads, q, k).
    """
    kind = torch.promote_types(query.dtype, torch.float32)
    query, key = query.to(kind), key.to(kind)
    if enable_gqa:  # consecutive heads of queries share a head of keys
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query * factor) @ key.transpose(-2, -1)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, -math.inf)
        else:
            scores = scores + attn_mask
    return scores.softmax(-1)


def roll_out(weights: Tensor, below: Tensor | None = None) -> Tensor:
    """Attention rollout (Abnar and Zuidema, ACL 2020, section 3) up to a layer.

    Rollout is the product over layers of (A + I) / 2, where A is the mean attention over heads and
    the identity stands for the residual connection.

    Args:
        weights: the layer's attention weights (n, heads, tokens, tokens).
        below: the rollout up to the layer before it; None for the first layer.

    Returns:
        How much each token draws from each input token, (n, tokens, tokens) in float64; each row
        sums to 1.
    """
    identity = torch.eye(weights.shape[-1], dtype=torch.float64, device=weights.device)
    mixed = (weights.mean(1, dtype=torch.float64) + identity) / 2
    mixed = mixed / mixed.sum(-1, keepdim=True)
    return mixed if below is None else mixed @ below


class _Watcher(ModuleMode):
    def __init__(self, model: nn.Module, observe: Observer) -> None:
        super().__init__(model)
        self.observe = observe

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # The mode is not active in here, so nothing below is observed a second time.
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            return self._multi_head(args, kwargs)
        output = func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            self._report(attention_weights(*args, **kwargs))
        elif func in SOFTMAXES and self._is_attention(output, *args[1:2], **kwargs):
            self._report(output)
        return output

    def _multi_head(self, args: Any, kwargs: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
        """Call the function with the weights of each head; return what its caller expects."""
        by_head = {**kwargs, "need_weights": True, "average_attn_weights": False}
        output, weights = F.multi_head_attention_forward(*args, **by_head)
        assert weights is not None  # because of need_weights
        self._report(weights if weights.dim() == 4 else weights.unsqueeze(0))  # one sample
        if not kwargs.get("need_weights", True):
            return output, None
        return output, weights.mean(-3) if kwargs.get("average_attn_weights", True) else weights

    def _is_attention(self, output: Tensor, dim: int | None = None, **_: Any) -> bool:
        return (
            output.dim() == 4
            and dim in (-1, 3)
            and output.shape[-1] > 1
            and not _HEAD.search(self.path[-1])
        )

    def follows(self, module: nn.Module) -> bool:
        return not isinstance(module, nn.Softmax)  # the attention is that of the module around it

    def _report(self, weights: Tensor) -> None:
        weights = weights.detach()
        if weights.dim() < 4:  # one head
            weights = weights.reshape(-1, 1, *weights.shape[-2:])
        self.observe(self.numbered(self.path[-1] or "attention"), weights.flatten(0, -4))
