"""Weights that are no numbers: not there yet, of a training that diverged, or of a damaged file."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from landscape.errors import InputError

_RUNNING_STATISTICS = ("running_mean", "running_var")


def check_finite(model: nn.Module, path: object = "") -> None:
    """Refuse a model whose parameters or buffers are not finite.

    Infinite entries of a buffer are allowed, since a causal mask has them, except in the running
    statistics of a normalisation.

    Args:
        model: any module.
        path: the checkpoint, for the message, where it is not clear which one is meant.

    Raises:
        InputError: the message names the first such tensor, and how many of its entries.
    """
    broken = list(_broken_tensors(model))
    if not broken:
        return
    (name, count, size), *others = broken
    which = f"{path}: the weights" if path else "the weights"
    more = f", also in {len(others):,} other tensor{'s' * (len(others) > 1)}" if others else ""
    raise InputError(
        f"{which} are not finite: {count:,} of the {size:,} entries of {name} are NaN or "
        f"infinite{more}; take a checkpoint of before the training diverged"
    )


def check_has_values(model: nn.Module) -> None:
    """Refuse a model with parameters or buffers that have no values yet.

    Raises:
        InputError: one has no shape, as in a lazy module, or is on the meta device.
    """
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        which = f"{name} of {type(model).__name__}"
        if is_lazy(tensor):
            raise InputError(
                f"{which} has no shape yet (a lazy module); call the model once on a batch before "
                "measuring it"
            )
        if tensor.is_meta:
            raise InputError(
                f"{which} is on the meta device, where tensors have no values; load it onto a real "
                "one"
            )


def _broken_tensors(model: nn.Module) -> Iterator[tuple[str, int, int]]:
    """Name, number of bad entries and size of each tensor that has any."""
    for name, parameter in model.named_parameters():
        yield from _bad_entries(name, parameter.detach(), allows_infinity=False)
    for name, buffer in model.named_buffers():
        is_statistic = name.rpartition(".")[2] in _RUNNING_STATISTICS
        yield from _bad_entries(name, buffer, allows_infinity=not is_statistic)


def _bad_entries(
    name: str, tensor: Tensor, *, allows_infinity: bool
) -> Iterator[tuple[str, int, int]]:
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return
    bad = torch.isnan(tensor) if allows_infinity else ~torch.isfinite(tensor)
    if count := int(bad.sum()):
        yield name, count, tensor.numel()
