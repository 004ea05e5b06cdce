"""What keeps a measurement apart from the training that it is taken in."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.distributed as dist
from torch import nn

from landscape.errors import InputError
from landscape.runtime.random_state import preserved_random_state


def submodule(model: nn.Module, path: str) -> nn.Module:
    """The submodule that is measured, out of the wrappers of the whole model.

    Raises:
        InputError: There is no such submodule, or its parameters are spread over processes.
    """
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        model = model.module
    try:
        module = model.get_submodule(path)
    except AttributeError as error:
        raise InputError(f"the model has no submodule {path!r}: {error}") from error
    if any(type(p).__name__ in ("DTensor", "FlatParameter") for p in module.parameters()):
        raise InputError(
            "the parameters are spread over processes (FSDP), which a Tracker does not measure; "
            "measure saved checkpoints with landscape-plot sharpness instead"
        )
    if not any(True for _ in module.parameters()):
        raise InputError(f"{type(module).__name__} has no parameters to measure")
    return module


@contextmanager
def apart_from_training() -> Iterator[None]:
    """Without autocast and inference mode, and with all global random state restored."""
    with preserved_random_state(), ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def is_first_rank() -> bool:
    """Whether this process is the first of its group, or alone."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0
