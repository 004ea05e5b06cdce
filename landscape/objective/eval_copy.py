"""The copy of a user's model that everything is measured on."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.parameters.layout import flatten


def make_eval_copy(model: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """A copy of the model in evaluation mode, without its compile and data-parallel wrappers.

    Raises:
        InputError: if the model can't be copied.
    """
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod  # type: ignore[assignment]
        elif isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        else:
            break
    # torch can't copy tensors that a module has computed, such as the weight of weight_norm.
    computed = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    try:
        eval_copy = copy.deepcopy(model, computed)
    except RuntimeError as error:
        raise InputError(
            f"{type(model).__name__} can't be copied ({error}); "
            "remove tensors it keeps from an earlier forward pass"
        ) from error
    return eval_copy.eval().to(device, dtype)


def share_storage(tensors: list[Tensor]) -> Tensor:
    """Make the tensors views of one vector, which is returned: writing it writes them all."""
    if not tensors:
        return torch.empty(0)
    flat = flatten(tensor.detach() for tensor in tensors)
    pieces = flat.split([tensor.numel() for tensor in tensors])
    for tensor, piece in zip(tensors, pieces, strict=True):
        tensor.data = piece.view(tensor.shape)
    return flat


@contextmanager
def weights_at(theta: Tensor | None, live: Tensor, home: Tensor) -> Iterator[None]:
    """Let ``live`` hold ``theta`` within this context, and ``home`` again after it.

    Without ``theta`` nothing is written. Raises InputError if its shape is not that of ``home``.
    """
    if theta is None:
        yield
        return
    if theta.shape != home.shape:
        raise InputError(f"expected theta of shape {tuple(home.shape)}, got {tuple(theta.shape)}")
    try:
        live.copy_(theta)
        yield
    finally:
        live.copy_(home)


def statistics_of(module: nn.Module) -> dict[str, Tensor]:
    """The floating-point buffers in the state_dict, such as BatchNorm's running statistics."""
    stored = module.state_dict(keep_vars=True)
    return {
        name: buffer
        for name, buffer in module.named_buffers()
        if name in stored and buffer.is_floating_point()
    }


@contextmanager
def differentiable(module: nn.Module) -> Iterator[None]:
    """Enable gradients of ``module`` within this context, whatever the caller has disabled.

    Recurrent layers run without cuDNN, which has no backward pass for them in evaluation mode.
    """
    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as stack:
        if any(isinstance(layer, nn.RNNBase) for layer in module.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield
