"""The arithmetic in which a loss is evaluated on surfaces and lines."""

import torch

from landscape.errors import InputError
from landscape.runtime.devices import PRECISIONS


def resolve_precision(precision: str | None, dtype: torch.dtype) -> str:
    """The precision by name; without one, that of weights of type ``dtype``.

    Raises:
        InputError: for an unknown name, and for a precision that weights of this type can't have.
    """
    if precision is None:
        return "fp64" if dtype == torch.float64 else "fp32"
    if precision not in PRECISIONS:
        raise InputError(
            f"unknown precision {precision!r}; expected one of {', '.join(PRECISIONS)}"
        )
    if (precision == "fp64") != (dtype == torch.float64):
        raise InputError(f"precision {precision} does not go with {dtype} weights")
    return precision
