"""Writing HDF5 files: made in memory, sealed, and written as bytes.

The library can't be trusted with a disk that is full: it may crash while it closes the file.
Texts have a fixed length, because reading damaged ones of variable length can hang.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from landscape.results.files import replacing
from landscape.results.hdf5.seal import USER_BLOCK, seal

# Attributes above 64 kB need the format of HDF5 1.8; later formats add nothing that we use.
_VERSION = ("v108", "v108")


def write_hdf5(
    path: Path,
    attributes: Mapping[str, bool | int | str],
    arrays: Mapping[str, ArrayLike],
    described: Mapping[str, Mapping[str, str]],
) -> None:
    """Write a sealed file; a reader sees the old file or the new one, never a part.

    Args:
        path: of the file.
        attributes: of the file.
        arrays: by path within the file.
        described: the attributes of arrays, by the same paths.

    Raises:
        SaveError: The file can't be written; the one that was there is intact.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w", userblock_size=USER_BLOCK, libver=_VERSION) as file:
        for name, value in attributes.items():
            file.attrs[name] = _fixed(value)
        for name, array in arrays.items():
            stored = file.create_dataset(name, data=_fixed(array))
            for key, text in described.get(name, {}).items():
                stored.attrs[key] = _fixed(text)
    with replacing(path) as temporary, temporary.open("wb") as opened:
        content = memory.getbuffer()[USER_BLOCK:]
        opened.write(seal(content))
        opened.write(content)


def _fixed(values: Any) -> Any:
    """The values; texts as UTF-8 of as many bytes as the longest has, and at least one."""
    array = np.asarray(values)
    if array.dtype.kind not in "OU":
        return array
    encoded = [str(text).encode("utf-8", "surrogateescape") for text in array.ravel()]
    length = max(1, *map(len, encoded)) if encoded else 1
    return np.array(encoded, h5py.string_dtype("utf-8", length)).reshape(array.shape)
