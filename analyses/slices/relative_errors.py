"""Which errors of interpolated values are relative to them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
NAME = "relative_errors"


def stored_names(arrays: Arrays) -> NDArray[Any]:
    """The names of the values whose errors are relative, as the arrays of a file tell.

    In files of versions that did not record it, those are the losses whose measured values are all
    above 0: their logarithms were interpolated.
    """
    if NAME in arrays:
        return arrays[NAME]
    measured = arrays["measured"].astype(bool)
    names = [name.removeprefix("error/") for name in arrays if name.startswith("error/")]
    return np.array(
        [name for name in names if "_loss" in name and _is_above_0(arrays[name], measured)]
    )


def _is_above_0(values: NDArray[np.float64], measured: NDArray[np.bool_]) -> bool:
    return bool((values[measured & np.isfinite(values)] > 0).all())
