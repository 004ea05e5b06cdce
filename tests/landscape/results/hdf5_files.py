"""HDF5 files as strangers, other tools and earlier versions make them."""

import io
from pathlib import Path

import h5py
import numpy as np

from landscape.results.hdf5.seal import USER_BLOCK, seal


def unsealed(path: Path) -> Path:
    """Make a file one without a checksum, as earlier versions wrote them."""
    path.write_bytes(path.read_bytes()[USER_BLOCK:])
    with h5py.File(path, "r+") as file:
        for name in ("analysis", "label", "settings", "provenance"):
            if name in file.attrs:
                file.attrs[name] = file.attrs[name].decode()
        file.attrs["format"] = 1
        for name in texts(file):
            values = [text.decode() for text in np.atleast_1d(file[name][()])]
            shape = file[name].shape
            del file[name]
            stored = np.array(values, dtype=object).reshape(shape)
            file.create_dataset(name, data=stored, dtype=h5py.string_dtype())
    return path


def texts(file: h5py.File) -> list[str]:
    """The paths of the arrays of texts."""
    names: list[str] = []
    file.visititems(
        lambda name, item: names.append(name) if getattr(item, "dtype", np.dtype(int)).kind == "S"
        else None
    )  # fmt: skip
    return names


def changed(path: Path, change) -> Path:
    """Let a function change a sealed file, and seal it again, as only an attacker would."""
    content = bytearray(path.read_bytes())
    memory = io.BytesIO(content)
    with h5py.File(memory, "r+") as file:
        change(file)
    body = memory.getbuffer()[USER_BLOCK:]
    path.write_bytes(seal(body) + bytes(body))
    return path
