"""An objective's function in float64, in which derivatives don't cancel in rounding."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from landscape.data.structures import tensors_in
from landscape.errors import NotMeasurableError
from landscape.objective.movable_model import MovableModel
from landscape.objective.objective import Objective


def in_float64(objective: Objective) -> Objective:
    """The same objective with a copy of the model and the loss in float64.

    It takes theta once at most, as its own weights are not kept besides. It shares the origin, and
    the batches, which have to be cast when they are used
    (:meth:`landscape.data.batches.Batch.in_precision`).

    Raises:
        InputError: the model can't be copied.
    """
    double = copy.copy(objective)
    MovableModel.__init__(double, objective.module, objective.device, torch.float64)
    double.theta = double.live_weights  # it is moved at most once: no second copy of them
    double.dtype, double.precision = torch.float64, "fp64"
    double.criterion = objective.criterion.to(objective.device, torch.float64)
    return double


class Float64Only(TorchFunctionMode):
    """Within this context no operation may turn float64 into a type of less precision.

    What a custom :class:`torch.autograd.Function` casts within itself is seen, too; what a kernel
    of one's own does is not.

    Raises:
        NotMeasurableError: an operation does, as those of layers that compute in float32 whatever
            the weights are.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func`` and look at what it returns."""
        result = func(*args, **(kwargs or {}))
        rounded = [tensor for tensor in _tensors(result) if _is_rounded(tensor)]
        if rounded and (
            any(tensor.requires_grad for tensor in rounded)
            or any(map(_is_float64, _tensors((args, kwargs))))
        ):
            raise NotMeasurableError(f"an operation computes in {rounded[0].dtype}")
        return result


def _tensors(structure: Any) -> list[Tensor]:
    return list(tensors_in(structure)) if isinstance(structure, Tensor | tuple | list) else []


def _is_rounded(tensor: Tensor) -> bool:
    is_number = tensor.is_floating_point() or tensor.is_complex()
    return is_number and not _is_float64(tensor)


def _is_float64(tensor: Tensor) -> bool:
    return tensor.dtype in (torch.float64, torch.complex128)
