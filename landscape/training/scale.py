"""The settings of how a training is carried out, and the model made ready for it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from landscape.errors import InputError
from landscape.runtime.devices import full_precision, tf32_allowed
from landscape.runtime.options import option, refuse_negative


@dataclass(frozen=True)
class ScaleSettings:
    """What changes the time and memory of a training, and its numbers by rounding alone."""

    precision: str = option(
        "fp32",
        "arithmetic of the passes; weights and their updates stay in fp32",
        choices=("fp32", "tf32", "bf16"),
    )
    compile: bool = option(False, "compile the model with torch.compile")
    channels_last: bool = option(
        True, "keep pictures and convolution kernels with the channels last in memory"
    )
    accumulate: int = option(
        1, "passes that a batch is cut into, one after the other, to save memory", metavar="N"
    )
    recompute: bool = option(
        False, "activation checkpointing: blocks are computed again in the backward pass"
    )
    ema: float = option(
        0.0,
        "keep an exponential moving average of the weights, in RUN/ema.pt; 0: don't",
        metavar="DECAY",
    )
    save_minutes: float = option(
        15.0, "also save within an epoch, so often; 0: don't", metavar="MINUTES"
    )
    tensorboard: bool = option(False, "write RUN/tensorboard, too")

    def __post_init__(self) -> None:
        """Raise InputError for values that can't be trained with."""
        if self.accumulate < 1:
            raise InputError(f"--accumulate has to be positive, got {self.accumulate}")
        if not 0 <= self.ema < 1:
            raise InputError(f"--ema has to be at least 0 and below 1, got {self.ema}")
        refuse_negative(self, "save_minutes")

    def arithmetic(self, device: torch.device) -> AbstractContextManager[Any]:
        """A context for forward passes and losses."""
        if self.precision == "bf16":
            return torch.autocast(device.type, torch.bfloat16)
        return nullcontext()

    def multiplication(self) -> AbstractContextManager[Any]:
        """A context for the whole training: what float32 products may be rounded to on CUDA."""
        return tf32_allowed() if self.precision == "tf32" else full_precision()


def recompute_blocks(model: nn.Module) -> int:
    """Make every block checkpoint its activations; returns how many there are.

    Blocks are the members of the outermost ModuleLists and Sequentials with more than one.
    InputError if there is none. BatchNorm's statistics move once, not twice.
    """
    blocks = _blocks(model)
    if not blocks:
        raise InputError(
            "--recompute finds no blocks: the model has no ModuleList or Sequential of modules"
        )
    for block in blocks:
        inner = block.forward
        contexts = partial(_contexts, block)
        block.forward = partial(_recomputing, inner, contexts)
    return len(blocks)


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    return nullcontext(), _statistics_left_alone(block)


@contextmanager
def _statistics_left_alone(block: nn.Module) -> Iterator[None]:
    """The second time a block is computed, its BatchNorm moves copies of its statistics."""
    held = [
        (module, name, buffer)
        for module in block.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for name, buffer in module.named_buffers(recurse=False)
    ]
    for module, name, buffer in held:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in held:
            setattr(module, name, buffer)


def _recomputing(inner: Any, contexts: Any, *inputs: Any, **keywords: Any) -> Any:
    if not torch.is_grad_enabled():
        return inner(*inputs, **keywords)
    return checkpoint(inner, *inputs, use_reentrant=False, context_fn=contexts, **keywords)


def _blocks(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.ModuleList | nn.Sequential) and len(module) > 1:
        return list(module)
    return [block for child in module.children() for block in _blocks(child)]
