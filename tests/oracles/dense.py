"""Gradient and Hessian of a mean loss, dense, by torch.func: slow and straightforward.

The parameters are the trainable ones, flattened in the order of ``named_parameters()``; the model
is used as it is, in the mode it is in.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian
from torch.nn.attention import SDPBackend, sdpa_kernel

Loss = Callable[[Tensor, Tensor], Tensor]


def dense_theta(model: nn.Module) -> Tensor:
    """The trainable parameters as one vector."""
    return torch.cat([p.detach().reshape(-1) for p in model.parameters() if p.requires_grad])


def dense_gradient(model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """The gradient at the model's own parameters, of shape (P,)."""
    with _elementary_operators():
        return grad(_loss_of_theta(model, inputs, targets, loss))(dense_theta(model))


def dense_hessian(model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """The Hessian at the model's own parameters, of shape (P, P)."""
    with _elementary_operators(), warnings.catch_warnings():
        # torch compiles its own forward derivatives with torch.jit.script, and warns of it.
        warnings.filterwarnings("ignore", "`torch.jit.script` is")
        return hessian(_loss_of_theta(model, inputs, targets, loss))(dense_theta(model))


def _loss_of_theta(
    model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss
) -> Callable[[Tensor], Tensor]:
    trainable = {name: p.shape for name, p in model.named_parameters() if p.requires_grad}

    def value(theta: Tensor) -> Tensor:
        weights, start = {}, 0
        for name, shape in trainable.items():
            weights[name] = theta[start : start + shape.numel()].reshape(shape)
            start += shape.numel()
        return loss(functional_call(model, weights, (inputs,)), targets)

    return value


@contextmanager
def _elementary_operators() -> Iterator[None]:
    """Attention and layer norm from operators whose second derivatives can be relied on.

    The fused attention has none. That of layer norm is wrong under vmap, which
    ``torch.func.hessian`` uses, in torch 2.13: its block of input and weight is not the transpose
    of its block of weight and input.
    """
    with sdpa_kernel(SDPBackend.MATH), patch.object(F, "layer_norm", _layer_norm):
        yield


def _layer_norm(
    x: Tensor, normalized_shape: list[int], weight: Tensor, bias: Tensor, eps: float
) -> Tensor:
    assert len(normalized_shape) == 1
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * weight + bias
