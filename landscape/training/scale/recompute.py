"""Activation checkpointing: ``--recompute``."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import is_grad_enabled, nn
from torch.utils.checkpoint import checkpoint

from landscape.errors import InputError


def recompute_blocks(model: nn.Module) -> int:
    """Make every block of ``model`` checkpoint its activations.

    Blocks are the members of the outermost ModuleLists and Sequentials that have more than one.
    BatchNorm's running statistics are updated once, although blocks are computed twice.

    Returns:
        The number of blocks.

    Raises:
        InputError: The model has no blocks.
    """
    blocks = _blocks(model)
    if not blocks:
        raise InputError(
            "--recompute finds no blocks: the model has no ModuleList or Sequential of modules"
        )
    for block in blocks:
        block.forward = partial(_recomputing, block.forward, partial(_contexts, block))
    return len(blocks)


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """What the first computation of a block runs in, and what the second runs in."""
    return nullcontext(), _running_statistics_restored(block)


@contextmanager
def _running_statistics_restored(block: nn.Module) -> Iterator[None]:
    """Within the context, BatchNorm updates copies of its running statistics."""
    originals = [
        (module, name, buffer)
        for module in block.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for name, buffer in module.named_buffers(recurse=False)
    ]
    for module, name, buffer in originals:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in originals:
            setattr(module, name, buffer)


def _recomputing(forward: Any, contexts: Any, *inputs: Any, **keywords: Any) -> Any:
    """``forward``, keeping only the inputs of a block for the backward pass."""
    if not is_grad_enabled():
        return forward(*inputs, **keywords)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **keywords)


def _blocks(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.ModuleList | nn.Sequential) and len(module) > 1:
        return list(module)
    return [block for child in module.children() for block in _blocks(child)]
