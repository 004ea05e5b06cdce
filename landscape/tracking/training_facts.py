"""What an optimizer says about the training that it is part of."""

import math
from typing import Any

import torch

from landscape.training.sam.optimizer import SAM


def learning_rate(optimizer: torch.optim.Optimizer | None) -> float:
    """The learning rate of the first parameter group; nan if it is unknown."""
    if optimizer is None:
        return math.nan
    return float(optimizer.param_groups[0].get("lr", math.nan))


def training_facts(optimizer: torch.optim.Optimizer | None) -> dict[str, Any]:
    """The entries of config.json's ``training`` from which the edge of stability follows.

    They are ``opt``, ``momentum`` of SGD, and ``rho`` of SAM; nothing without an optimizer.
    """
    # Accelerate and Lightning wrap the optimizer.
    for name in ("optimizer", "_optimizer"):
        inner = getattr(optimizer, name, None)
        optimizer = inner if isinstance(inner, torch.optim.Optimizer) else optimizer
    if optimizer is None:
        return {}
    facts: dict[str, Any] = {"rho": 0.0}
    base = optimizer
    if isinstance(optimizer, SAM):
        base = optimizer.base_optimizer
        facts = {"rho": optimizer.rho, "sam": optimizer.method}
    facts["opt"] = type(base).__name__.lower()
    if isinstance(base, torch.optim.SGD):
        facts["momentum"] = base.param_groups[0]["momentum"]
    return facts
