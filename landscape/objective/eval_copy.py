"""The copy of a user's model that everything is measured on."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.parameters.layout import flatten


def make_eval_copy(model: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """A copy of the model in eval mode, out of its compile and data-parallel wrappers."""
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod  # type: ignore[assignment]
        elif isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        else:
            break
    # What a module computed and kept, as weight_norm does with the weight, torch does not copy.
    kept = {
        id(value): value.detach().clone()
        for part in model.modules()
        for value in vars(part).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    try:
        eval_copy = copy.deepcopy(model, kept)
    except RuntimeError as error:
        raise InputError(
            f"{type(model).__name__} can't be copied ({error}); "
            "remove tensors it keeps from an earlier forward pass"
        ) from error
    return eval_copy.eval().to(device, dtype)


def share_storage(tensors: list[Tensor]) -> Tensor:
    """One vector that the tensors become views of: writing it moves them all."""
    if not tensors:
        return torch.empty(0)
    flat = flatten(tensor.detach() for tensor in tensors)
    pieces = flat.split([tensor.numel() for tensor in tensors])
    for tensor, piece in zip(tensors, pieces, strict=True):
        tensor.data = piece.view(tensor.shape)
    return flat


def statistics_of(module: nn.Module) -> dict[str, Tensor]:
    """The floating buffers that a state_dict holds, such as BatchNorm's running statistics."""
    stored = module.state_dict(keep_vars=True)
    return {
        name: buffer
        for name, buffer in module.named_buffers()
        if name in stored and buffer.is_floating_point()
    }


@contextmanager
def differentiable(module: nn.Module) -> Iterator[None]:
    """Gradients on, whatever the caller has turned off.

    cuDNN's recurrent layers have no backward pass in eval mode; torch's own have.
    """
    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as stack:
        if any(isinstance(part, nn.RNNBase) for part in module.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield
