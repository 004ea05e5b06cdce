"""Whether a run's weights can be those of the network that its config.json describes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from landscape.errors import InputError
from landscape.models.catalog import ModelSpec
from landscape.models.names import FAMILIES

# Networks of so many parameters are made in any case; reading the file says what is wrong with it.
ALWAYS_TAKEN = 2**24


def refuse_oversized_network(spec: ModelSpec, weights: Path) -> None:
    """Raise InputError if a network has more parameters than its file has bytes by far.

    They are counted without taking memory for them, since a damaged size may ask for any amount.
    Models that run code of others, to which this does not apply, are not counted.

    Args:
        spec: The network, from config.json.
        weights: The file that its weights are in.
    """
    if spec.name not in FAMILIES or not weights.is_file():
        return
    with torch.device("meta"), _NoValues():
        count = sum(parameter.numel() for parameter in spec.build().parameters())
    size = weights.stat().st_size
    if count > size + ALWAYS_TAKEN:
        raise InputError(
            f"{weights} is truncated, or its config.json is damaged: {size:,} bytes can't hold the "
            f"{count:,} parameters of the network that it describes; restore both from a copy"
        )


class _NoValues(TorchFunctionMode):
    """Leaves out what changes tensors in place: initial values, which take most of the time."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch unless its name ends like that of one that works in place."""
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__"):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
