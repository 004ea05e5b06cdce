"""Files of safetensors, which hold tensors by name and no code.

The format has no checksums. The files that this project writes have one among their metadata.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from landscape.checkpoints.foreign.kinds import damaged
from landscape.errors import InputError

# The SHA-256 of names, types, shapes and values, under this key of the metadata.
_CHECKSUM = "sha256_of_tensors"


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file onto the CPU.

    Raises:
        InputError: The file is damaged, or is not what its checksum says, if it has one.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError) as error:  # KeyError: a type torch has not
        raise InputError(damaged(path, "safetensors file")) from error
    if _CHECKSUM in metadata and metadata[_CHECKSUM] != _hash(tensors):
        raise InputError(
            f"{path} is damaged: its tensors are not those that were saved (their SHA-256 "
            "differs); copy or download it again"
        )
    return tensors


def to_safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """The content of a file with these tensors, which are contiguous, and their checksum."""
    return save(dict(tensors), metadata={"format": "pt", _CHECKSUM: _hash(tensors)})


def _hash(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name!r} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().data)  # numpy has no bfloat16
    return digest.hexdigest()
