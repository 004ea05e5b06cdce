"""The copy of a user's model that everything is measured on."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from landscape.data.structures import type_in
from landscape.errors import InputError
from landscape.parameters.finite import check_has_values
from landscape.parameters.layout import flatten


def make_eval_copy(model: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """A copy of the model in evaluation mode, without its compile and data-parallel wrappers.

    A complex parameter becomes a real one of (real, imaginary) pairs, which the module sees as the
    complex tensor. Embeddings have dense gradients.

    Raises:
        InputError: if ``model`` is no module, can't be copied, or has weights that are no floats.
    """
    if not isinstance(model, nn.Module):
        raise InputError(
            f"the model has to be a torch.nn.Module, got {type(model).__name__}; wrap a function "
            "in a module whose parameters it uses"
        )
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise InputError(
            f"{type(model).__name__} is TorchScript, whose weights can't be moved and "
            "differentiated from outside; pass the Python module that it was made of"
        )
    check_has_values(model)
    model = unwrapped(model)
    try:
        eval_copy = copy_module(model)
    except Exception as error:  # locks, files and generators raise errors of many types
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{type(model).__name__} can't be copied ({reason}); remove what it keeps besides its "
            "weights, such as tensors of an earlier forward pass, locks and open files"
        ) from error
    for module in list(eval_copy.modules()):
        for name, child in list(module.named_children()):
            if unwrapped(child) is not child:
                setattr(module, name, unwrapped(child))
        if isinstance(module, nn.Embedding | nn.EmbeddingBag):
            module.sparse = False
        _split_complex_parameters(module)
    return convert(eval_copy.eval(), device, dtype)


def copy_module(module: nn.Module) -> nn.Module:
    """A deep copy, also of a module that keeps tensors it has computed, which torch can't copy.

    Such are the weight of weight_norm, a pruned weight, and the outputs of an earlier pass; the
    copy has their values.
    """
    computed = {
        id(value): value.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return copy.deepcopy(module, computed)


def convert(module: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Move a module to a device, its real and complex numbers to a precision; returns it."""

    return module._apply(lambda tensor: tensor.to(device, type_in(tensor, dtype)))


def _split_complex_parameters(module: nn.Module) -> None:
    """Store each complex parameter as pairs of real numbers; the attribute stays complex."""
    properties: dict[str, Any] = {}
    for name, parameter in module.named_parameters(recurse=False):
        if parameter.is_complex():
            pairs = torch.view_as_real(parameter.detach().resolve_conj()).clone()
            module._parameters[name] = nn.Parameter(pairs, parameter.requires_grad)
            properties[name] = property(partial(_as_complex, name=name))
    if properties:
        # torch's parametrizations can't change a type; a property comes before the parameter.
        module.__class__ = type(type(module).__name__, (type(module),), properties)


def _as_complex(module: nn.Module, name: str) -> Tensor:
    pairs = module._parameters[name]
    assert pairs is not None
    # Not view_as_complex, which takes an even place in memory alone.
    return torch.complex(pairs[..., 0], pairs[..., 1])


def unwrapped(model: nn.Module) -> nn.Module:
    """The module within torch.compile's and the data-parallel wrappers."""
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod  # type: ignore[assignment]
        elif isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        else:
            return model


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
        if name in stored and buffer.is_floating_point() and buffer.layout == torch.strided
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
