"""Weights in several files with an index, as Hugging Face writes them, and folders of weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from landscape.checkpoints.wording import list_some
from landscape.errors import InputError

# What a folder of torch.distributed.checkpoint holds beside its weights.
METADATA = ".metadata"

# The files of weights that a folder of Hugging Face, peft or diffusers may hold, the safest first.
FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.bin",
    "open_clip_pytorch_model.bin",
    "adapter_model.safetensors",
    "adapter_model.bin",
)
_ENDINGS = (".pt", ".pth", ".pth.tar", ".th", ".ckpt", ".bin", ".safetensors", ".npz", ".pkl")


def weights_in(folder: Path) -> Path | None:
    """What holds the weights in a folder: a file, or the folder itself; None for neither."""
    if (folder / METADATA).is_file():
        return folder
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def describe_folder(folder: Path) -> str:
    """What a folder that is neither a run nor holds weights under a known name has instead."""
    files = [path.name for path in folder.iterdir() if path.name.endswith(_ENDINGS)]
    if (folder / "saved_model.pb").is_file():
        return ", but a TensorFlow SavedModel; save the weights from torch"
    if files:
        return f"; give one of its files instead: {list_some(sorted(files))}"
    return ", and no checkpoints either; give a run directory or a file of weights"


def shards_of(index: Path) -> list[Path]:
    """The files that an index names, each once.

    Raises:
        InputError: The index is damaged, or names files that are absent or elsewhere.
    """
    weight_map = json.loads(index.read_bytes()).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(f"{index} names no files of weights; download it again")
    names = list(dict.fromkeys(map(str, weight_map.values())))
    outside = [name for name in names if Path(name).name != name]
    if outside:
        raise InputError(f"{index} names a file outside of its folder: {outside[0]}")
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise InputError(
            f"{index} needs {len(names)} files and {missing[0]} is not beside it; download all "
            "parts"
        )
    return [index.parent / name for name in names]


def read_shards(index: Path, read: Callable[[Path], Any]) -> dict[str, Any]:
    """Read the weights of all files that an index names, each by ``read``.

    Raises:
        InputError: A file is absent or damaged, or lacks a weight that the index has in it.
    """
    content: dict[str, Any] = {}
    for shard in shards_of(index):
        weights = read(shard)
        if not isinstance(weights, dict):
            raise InputError(f"{shard} holds a {type(weights).__name__}, not weights by name")
        content.update(weights)
    absent = [name for name in json.loads(index.read_bytes())["weight_map"] if name not in content]
    if absent:
        raise InputError(f"{index} promises {absent[0]}, which none of its files holds")
    return content
