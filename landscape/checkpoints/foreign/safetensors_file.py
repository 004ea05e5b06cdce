"""Files of safetensors, which hold tensors by name and no code."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from landscape.checkpoints.foreign.kinds import damaged
from landscape.errors import InputError


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file onto the CPU.

    Raises:
        InputError: The file is damaged.
    """
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, KeyError) as error:  # KeyError: a type torch has not
        raise InputError(damaged(path, "safetensors file")) from error
