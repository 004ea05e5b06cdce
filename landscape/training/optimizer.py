"""The base optimizer."""

import torch
from torch import Tensor, nn

from landscape.training.settings import OptimizerSettings


def make_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """SGD with momentum or AdamW over the trainable parameters of ``model``.

    Weight decay applies to kernels only: not to biases, norms and embeddings of position and class.
    On the CPU one kernel updates all parameters. A state that is loaded says by its ``fused``
    whether that is so for the steps after it: those of a run go on as they began.
    """
    kernels: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_embedding = name.rpartition(".")[2] in ("cls_token", "pos_embed")
            (kernels if parameter.dim() > 1 and not is_embedding else rest).append(parameter)
    param_groups = [
        {"params": kernels, "weight_decay": settings.decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    fused = True if all(map(_can_be_fused, [*kernels, *rest])) else None  # None: torch decides
    if settings.opt == "adamw":
        return torch.optim.AdamW(param_groups, lr=settings.peak_lr, fused=fused)
    return torch.optim.SGD(
        param_groups,
        lr=settings.peak_lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        fused=fused,
    )


def match_layouts(optimizer: torch.optim.Optimizer) -> None:
    """Store the moments of a state that was loaded as their parameters are stored.

    The fused kernels walk through parameters, gradients and moments as they lie in memory, without
    a look at their strides. Gradients are laid out as their parameters are by autograd.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if (
                isinstance(value, Tensor)
                and value.shape == parameter.shape
                and value.stride() != parameter.stride()
            ):
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _can_be_fused(parameter: Tensor) -> bool:
    """Whether torch's fused kernels for the CPU update a parameter rightly: not one with gaps."""
    is_dense = torch.empty_like(parameter, device="meta").stride() == parameter.stride()
    return parameter.device.type == "cpu" and parameter.is_floating_point() and is_dense
