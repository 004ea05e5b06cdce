"""Writing HDF5 files: made in memory, sealed, and written as bytes.

The library can't be trusted with a disk that is full: it may crash while it closes the file.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
from numpy.typing import ArrayLike

from landscape.results.files import replacing
from landscape.results.hdf5.scales import Scale, write_scales
from landscape.results.hdf5.seal import USER_BLOCK, seal
from landscape.results.hdf5.store import store_array, store_attributes

# Attributes above 64 kB need the format of HDF5 1.8; later formats add nothing that we use.
_VERSION = ("v108", "v108")


def write_hdf5(
    path: Path,
    attributes: Mapping[str, bool | int | str],
    arrays: Mapping[str, ArrayLike],
    described: Mapping[str, Mapping[str, str]],
    scales: Sequence[Scale] = (),
) -> None:
    """Write a sealed file; a reader sees the old file or the new one, never a part.

    Args:
        path: of the file.
        attributes: of the file.
        arrays: by path within the file.
        described: the attributes of arrays, by the same paths.
        scales: the dimensions of arrays, for readers that know netCDF.

    Raises:
        SaveError: The file can't be written; the one that was there is intact.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w", userblock_size=USER_BLOCK, libver=_VERSION) as file:
        store_attributes(file, attributes)
        for name, values in arrays.items():
            store_array(file, name, values, described.get(name, {}))
        write_scales(file, scales)
    # Views that an error's traceback keeps make the garbage collector of Python 3.12.1 crash.
    with (
        memory.getbuffer() as whole,
        whole[USER_BLOCK:] as content,
        replacing(path) as temporary,
        temporary.open("wb") as opened,
    ):
        opened.write(seal(content))
        opened.write(content)
