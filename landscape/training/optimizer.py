"""The base optimizer."""

import torch
from torch import nn

from landscape.training.settings import OptimizerSettings


def make_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """SGD with momentum or AdamW over the trainable parameters of ``model``.

    Weight decay applies to kernels only: not to biases, norms and embeddings of position and class.
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
    if settings.opt == "adamw":
        return torch.optim.AdamW(param_groups, lr=settings.peak_lr)
    return torch.optim.SGD(
        param_groups,
        lr=settings.peak_lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
    )
