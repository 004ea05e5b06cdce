"""Reading a file or folder of any supported format, without knowing the network."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

from landscape.checkpoints.foreign.jax_npz import read_jax_file
from landscape.checkpoints.foreign.kinds import Kind, kind_of
from landscape.checkpoints.foreign.safetensors_file import read_safetensors
from landscape.checkpoints.foreign.shards import METADATA, read_shards, shards_of
from landscape.checkpoints.foreign.torch_file import read_torch_file
from landscape.errors import InputError
from landscape.results.files import sha256


def read_contents(path: Path, *, trust: bool = False) -> Any:
    """Read what a checkpoint file or folder holds, onto the CPU.

    The format follows from the content and not from the name.

    Args:
        path: A file of torch, safetensors or numpy, an index of shards, or a folder of
            torch.distributed.checkpoint.
        trust: Load pickled objects of any type, which may run code.

    Returns:
        What was saved: most often nested dicts of tensors; of numpy, arrays by name.

    Raises:
        InputError: The file is absent, damaged or of another format; the message says what it is.
    """
    if path.is_dir():
        # The import takes a second.
        from landscape.checkpoints.foreign.distributed import read_distributed

        return read_distributed(path)
    if not path.is_file():
        raise InputError(f"no such checkpoint: {path}")
    kind = kind_of(path)
    if kind is Kind.INDEX:
        return read_shards(path, partial(read_contents, trust=trust))
    if kind is Kind.SAFETENSORS:
        return read_safetensors(path)
    if kind is Kind.NPZ:
        return read_jax_file(path)
    return read_torch_file(path, trust=trust)


def files_of(path: Path) -> list[Path]:
    """The files that a checkpoint consists of: one, or an index or metadata with all parts."""
    if path.is_dir():
        return [path / METADATA, *sorted(path.glob("*.distcp"))]
    return [path, *shards_of(path)] if kind_of(path) is Kind.INDEX else [path]


def content_hash(path: Path) -> str:
    """The SHA-256 of a checkpoint's content; of several files, that of their names and hashes."""
    files = files_of(path)
    if len(files) == 1:
        return sha256(files[0])
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name} {sha256(file)}\n".encode())
    return digest.hexdigest()
