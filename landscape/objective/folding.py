"""A convolution and the BatchNorm after it as one convolution, in evaluation mode.

There BatchNorm is an affine map by channel, so that a convolution followed by it is a convolution
with kernel w s and bias (b - mean) s + beta, where s = gamma / sqrt(var + eps). On a surface all of
these change, so the kernel is computed again at every point (:meth:`FoldedConvolution.fold`), once
for all batches. With gradients enabled it is a differentiable function of gamma, beta and w.
"""

import operator
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class FoldedConvolution(nn.Module):
    """The function norm(conv(x)) of two modules, which keep holding the parameters."""

    kernel: Tensor
    offset: Tensor

    def __init__(self, convolution: Any, norm: Any) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = norm
        self.register_buffer("kernel", torch.empty(0), persistent=False)
        self.register_buffer("offset", torch.empty(0), persistent=False)
        self.fold()

    @torch.no_grad()
    def fold(self) -> None:
        """Compute the kernel from the present weights and statistics."""
        kernel, offset = self._folded()
        if self.kernel.numel():  # in place: a compiled or captured graph reads this very memory
            self.kernel.copy_(kernel)
            self.offset.copy_(offset)
        else:
            self.kernel, self.offset = kernel, offset

    def _folded(self) -> tuple[Tensor, Tensor]:
        conv: Any = self.convolution
        norm: Any = self.norm
        scale = torch.rsqrt(norm.running_var + norm.eps)
        if norm.weight is not None:
            scale = scale * norm.weight
        offset = -norm.running_mean if conv.bias is None else conv.bias - norm.running_mean
        offset = offset * scale if norm.bias is None else torch.addcmul(norm.bias, offset, scale)
        kernel = conv.weight * scale.view(-1, *[1] * (conv.weight.dim() - 1))
        if kernel.dim() == 4:
            kernel = kernel.contiguous(memory_format=torch.channels_last)
        return kernel, offset

    def forward(self, x: Tensor) -> Tensor:
        """The value of the two modules one after the other, with the same derivatives."""
        convolution: Any = self.convolution
        differentiable = torch.is_grad_enabled()
        kernel, offset = self._folded() if differentiable else (self.kernel, self.offset)
        return convolution._conv_forward(x, kernel, offset)


def fold_batch_norms(module: nn.Module) -> nn.Module | None:
    """Fold each BatchNorm of a module into the convolution before it.

    Args:
        module: in evaluation mode; it is not changed.

    Returns:
        A module of the same function that shares all parameters and buffers with ``module``; None
        if no pair can be folded, or if the module's code can't be traced symbolically.
    """
    if not any(type(layer) in _NORMS for layer in module.modules()) or _has_hooks(module):
        return None
    try:
        traced = fx.symbolic_trace(module)
    except Exception:  # tracing runs the user's own code, which may raise anything
        return None
    # What the model computes from its buffers alone has become a constant of the trace.
    if any(str(node.target).startswith("_tensor_constant") for node in traced.graph.nodes):
        return None
    modules = dict(traced.named_modules())
    folded = 0
    for node in list(traced.graph.nodes):
        pair = _pair(node, modules)
        if pair is None:
            continue
        convolution = node.args[0]
        name = f"{str(convolution.target).replace('.', '_')}_folded_{folded}"
        traced.add_module(name, FoldedConvolution(*pair))
        with traced.graph.inserting_before(node):
            replacement = traced.graph.call_module(name, convolution.args)
        node.replace_all_uses_with(replacement)
        traced.graph.erase_node(node)
        traced.graph.erase_node(convolution)
        folded += 1
    if not folded:
        return None
    _relu_in_place(traced)
    traced.recompile()
    traced.training = False
    return traced


def folded_convolutions(module: nn.Module) -> Iterator[FoldedConvolution]:
    """The convolutions to be folded again after the weights have changed."""
    return (layer for layer in module.modules() if isinstance(layer, FoldedConvolution))


def _relu_in_place(traced: fx.GraphModule) -> None:
    """Let each ReLU overwrite its input where nothing else reads it, to save memory traffic."""
    modules = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        is_module = node.op == "call_module" and type(modules.get(str(node.target))) is nn.ReLU
        is_function = node.op == "call_function" and node.target in (F.relu, torch.relu)
        if not (is_module or is_function) or len(node.args) != 1 or node.kwargs.get("inplace"):
            continue
        before = node.args[0]
        if (
            not isinstance(before, fx.Node)
            or len(before.users) > 1
            or not _is_fresh(before, modules)
        ):
            continue
        with traced.graph.inserting_before(node):
            replacement = traced.graph.call_function(torch.relu_, (before,))
        node.replace_all_uses_with(replacement)
        traced.graph.erase_node(node)


def _is_fresh(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether no other node shares the memory of a node's result."""
    if node.op == "call_module":
        return type(modules.get(str(node.target))) is FoldedConvolution
    if node.op == "call_function" and node.target is operator.iadd:
        left = node.args[0]
        return isinstance(left, fx.Node) and len(left.users) == 1 and _is_fresh(left, modules)
    return node.op == "call_function" and node.target is operator.add


def _pair(node: fx.Node, modules: dict[str, nn.Module]) -> tuple[nn.Module, nn.Module] | None:
    """The convolution and the BatchNorm, if ``node`` is a norm directly after a convolution."""
    if node.op != "call_module" or not node.args or not isinstance(node.args[0], fx.Node):
        return None
    before = node.args[0]
    if before.op != "call_module" or len(before.users) > 1:
        return None
    if before.kwargs or node.kwargs or len(before.args) != 1 or len(node.args) != 1:
        return None
    norm, convolution = modules.get(str(node.target)), modules.get(str(before.target))
    if (
        norm is None
        or convolution is None
        or type(norm) not in _NORMS
        or type(convolution) not in _CONVOLUTIONS
    ):
        return None
    if norm.training or norm.running_mean is None or norm.running_var is None:
        return None
    return None if _has_hooks(norm) or _has_hooks(convolution) else (convolution, norm)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
