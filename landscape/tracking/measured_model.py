"""What a tracker measures of the model that is trained, and in which process."""

import torch.distributed as dist
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.objective.eval_copy import unwrapped


def submodule(model: nn.Module, path: str) -> nn.Module:
    """The submodule that is measured, out of the wrappers of the whole model.

    Raises:
        InputError: There is no such submodule, or its parameters are spread over processes.
    """
    try:
        module = unwrapped(model).get_submodule(path)
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


def copied_state(model: nn.Module, path: str) -> dict[str, Tensor]:
    """A copy of the state of the submodule that is measured, on the CPU."""
    stored = submodule(model, path).state_dict()
    return {key: value.cpu().clone() for key, value in stored.items() if isinstance(value, Tensor)}


def is_first_rank() -> bool:
    """Whether this process is the first of its group, or alone."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0
