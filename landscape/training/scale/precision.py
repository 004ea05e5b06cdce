"""The arithmetic of a training: ``--precision``."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from landscape.runtime.devices import full_precision, tf32_allowed
from landscape.training.scale.settings import ScaleSettings


def autocast(settings: ScaleSettings, device: torch.device) -> AbstractContextManager[Any]:
    """A context for forward passes, which bf16 computes in bfloat16."""
    if settings.precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def float32_products(settings: ScaleSettings) -> AbstractContextManager[Any]:
    """A context for a whole training, in which float32 products on CUDA are exact or TF32."""
    return tf32_allowed() if settings.precision == "tf32" else full_precision()
