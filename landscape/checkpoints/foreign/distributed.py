"""Folders of torch.distributed.checkpoint: ``.metadata`` and ``__0_0.distcp``, ...

They are read by one process, without a process group. The metadata are a pickle; it is read by an
unpickler that knows their own classes and nothing else. Only tensors are read.
"""

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint import metadata as dcp_metadata
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, _StorageInfo
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import _load_state_dict

from landscape.checkpoints.foreign.harmless import harmless_types
from landscape.checkpoints.foreign.shards import METADATA
from landscape.errors import InputError

_MODULE = "torch.distributed.checkpoint"


def read_distributed(folder: Path) -> dict[str, Any]:
    """Read the tensors of a distributed checkpoint onto the CPU, nested as they were saved.

    Raises:
        InputError: The folder is damaged, or its metadata are more than metadata.
    """
    reader = _Reader(folder)
    try:
        metadata = reader.read_metadata()
        tensors = {
            name: torch.empty(entry.size, dtype=entry.properties.dtype)
            for name, entry in metadata.state_dict_metadata.items()
            if isinstance(entry, TensorStorageMetadata)
        }
        with warnings.catch_warnings():  # that it is one process is no news
            warnings.simplefilter("ignore")
            # load() takes no_dist only in later releases than torch 2.6.
            _load_state_dict(tensors, storage_reader=reader, no_dist=True)
    except InputError:
        raise
    except (Exception, CheckpointException) as error:  # damage shows in many ways
        raise InputError(
            f"{folder} is a distributed checkpoint that is damaged or incomplete "
            f"({_brief(error)}); copy the whole folder again"
        ) from error
    paths = metadata.planner_data if isinstance(metadata.planner_data, dict) else {}
    return _nested(tensors, paths)


class _Reader(FileSystemReader):
    """Reads metadata without running code, and no file outside of the folder."""

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        folder = Path(self.path)
        with (folder / METADATA).open("rb") as file:
            metadata = _MetadataUnpickler(file).load()
        if not isinstance(metadata, Metadata) or not isinstance(metadata.storage_data, dict):
            raise InputError(f"{folder / METADATA} does not hold a distributed checkpoint")
        files = {info.relative_path for info in metadata.storage_data.values()}
        outside = [name for name in files if Path(name).name != name]
        if outside:
            raise InputError(f"{folder / METADATA} names files outside of the folder: {outside[0]}")
        missing = sorted(name for name in files if not (folder / name).is_file())
        if missing:
            raise InputError(
                f"{folder} lacks {missing[0]}, a part of the checkpoint; copy the whole folder"
            )
        _check_sizes(metadata, folder, sum((folder / name).stat().st_size for name in files))
        if metadata.storage_meta is None:
            metadata.storage_meta = StorageMeta()
        return metadata


class _MetadataUnpickler(pickle.Unpickler):
    """Knows the classes of torch.distributed.checkpoint's metadata, and plain values."""

    def find_class(self, module: str, name: str) -> Any:
        if module == f"{_MODULE}.metadata" and name in (
            *dcp_metadata.__all__,
            "_MEM_FORMAT_ENCODING",
        ):
            return getattr(dcp_metadata, name)
        if (module, name) == (f"{_MODULE}.filesystem", "_StorageInfo"):
            return _StorageInfo
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        plain = {
            ("torch", "Size"): torch.Size,
            ("torch.serialization", "_get_layout"): torch.serialization._get_layout,
            ("collections", "OrderedDict"): dict,
        }
        for kind in harmless_types():
            if isinstance(kind, tuple) and kind[1].startswith("pathlib"):
                plain[tuple(kind[1].rsplit(".", 1))] = kind[0]
        if (module, name) in plain:
            return plain[module, name]
        raise InputError(
            f"the metadata of the distributed checkpoint hold {module}.{name}, which is no part of "
            "such metadata and may run code; it is not read"
        )


def _check_sizes(metadata: Metadata, folder: Path, available: int) -> None:
    """Raise InputError if the tensors are larger than the files that should hold them."""
    packed = any(
        getattr(info, "transform_descriptors", None)  # torch 2.6 has no such field
        for info in metadata.storage_data.values()
    )
    claimed = sum(
        entry.size.numel() * entry.properties.dtype.itemsize
        for entry in metadata.state_dict_metadata.values()
        if isinstance(entry, TensorStorageMetadata)
    )
    if claimed > available and not packed:
        raise InputError(
            f"{folder} is incomplete: its tensors take {claimed:,} bytes, its files have "
            f"{available:,}; copy the whole folder again"
        )


def _nested(tensors: dict[str, Tensor], paths: dict[str, Any]) -> dict[str, Any]:
    """The tensors in nested dicts, by the paths that the planner has noted."""
    content: dict[str, Any] = {}
    for name, tensor in tensors.items():
        path = paths.get(name, (name,))
        place = content
        for step in path[:-1]:
            place = place.setdefault(str(step), {})
        place[str(path[-1])] = tensor
    return content


def _brief(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
