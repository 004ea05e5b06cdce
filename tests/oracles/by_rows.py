"""Gradient and Hessian of any scalar, row by row: for losses that are no function of outputs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel


def gradient_and_hessian(
    model: nn.Module, loss: Callable[[nn.Module], Any]
) -> tuple[Tensor, Tensor, Tensor]:
    """Value, gradient (P,) and Hessian (P, P) of ``loss(model)`` by the trainable parameters."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    with sdpa_kernel(SDPBackend.MATH):
        value = loss(model)
    gradient = _flat(value, parameters, create_graph=True)
    rows = [_flat(entry, parameters) for entry in gradient]
    return value.detach(), gradient.detach(), torch.stack(rows)


def _flat(value: Tensor, parameters: list[nn.Parameter], *, create_graph: bool = False) -> Tensor:
    if not value.requires_grad:
        return torch.zeros(sum(p.numel() for p in parameters), dtype=value.dtype)
    pieces = torch.autograd.grad(
        value, parameters, create_graph=create_graph, retain_graph=True, materialize_grads=True
    )
    return torch.cat([piece.reshape(-1) for piece in pieces])
