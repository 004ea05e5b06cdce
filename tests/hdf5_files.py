"""HDF5 files as earlier versions wrote them, and as only an attacker would make them."""

import io
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from landscape.results.hdf5.scales import SCALE_ONLY
from landscape.results.hdf5.seal import USER_BLOCK, seal


def arrays_in(file: h5py.File) -> dict[str, h5py.Dataset]:
    """The arrays of a file by path, without those that only stand for a dimension."""
    arrays: dict[str, h5py.Dataset] = {}

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and SCALE_ONLY not in item.attrs:
            arrays[name] = item

    file.visititems(note)
    return arrays


def unsealed(path: Path) -> Path:
    """Replace a file of today by one of the earlier format, without a checksum."""
    content = io.BytesIO(path.read_bytes())
    with h5py.File(content) as new, h5py.File(path, "w") as old:
        for name, item in arrays_in(new).items():
            is_text = item.dtype.kind == "S"
            values = np.asarray(item.asstr()[()], dtype=object) if is_text else item[()]
            kind = h5py.string_dtype() if is_text else None
            copied = old.create_dataset(name, data=values, dtype=kind)
            kept = [key for key in ("unit", "axes") if key in item.attrs]
            copied.attrs.update({key: item.attrs[key].decode() for key in kept})
        for key, value in new.attrs.items():
            old.attrs[key] = value.decode() if isinstance(value, bytes) else value
        old.attrs["format"] = 1
    return path


def changed(path: Path, change: Callable[[h5py.File], object]) -> Path:
    """Let a function change a file, and seal it again."""
    memory = io.BytesIO(path.read_bytes())
    with h5py.File(memory, "r+") as file:
        change(file)
    body = memory.getbuffer()[USER_BLOCK:]
    path.write_bytes(seal(body) + bytes(body))
    return path
