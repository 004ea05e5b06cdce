"""What may be in an HDF5 file: groups and arrays of its own that fit into the file.

An HDF5 file can make its reader open other files (external links, external storage, virtual
datasets), run in circles (a group that holds itself) and take any amount of memory (an array whose
values are compressed, or were never written). The structure is checked before any value is read.
"""

from collections.abc import Iterator

import h5py
import numpy as np

from landscape.errors import InputError
from landscape.results.hdf5.scales import SCALE_ONLY

MAX_OBJECTS = 100_000
MAX_DEPTH = 16
MAX_ATTRIBUTE_BYTES = 1 << 26
# Compressed arrays may take so much more than the file that holds them.
SPARE_BYTES = 1 << 26
# Of the filters that come with HDF5 and h5py. Any other would be loaded from a plug-in.
_HARD = h5py.h5l.TYPE_HARD
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, 32000}


def check_structure(file: h5py.File, file_bytes: int) -> dict[str, h5py.Dataset]:
    """Walk through a file and check every object without reading a value.

    Args:
        file: opened for reading.
        file_bytes: the length of the file.

    Returns:
        The arrays by their path in the file, without those that only stand for a dimension.

    Raises:
        InputError: Something in it is not a group or an array of numbers or texts of its own, or
            the arrays need much more memory than the file is long. The message does not name the
            file.
    """
    datasets: dict[str, h5py.Dataset] = {}
    total = 0
    for count, (name, dataset) in enumerate(_walk(file, "", {_address(file)}), 1):
        if count > MAX_OBJECTS:
            raise InputError(f"it holds more than {MAX_OBJECTS:,} arrays")
        _check_dataset(dataset, name)
        if SCALE_ONLY in dataset.attrs:
            continue
        total += _bytes(dataset)
        if total > file_bytes + SPARE_BYTES:
            raise InputError(
                f"its arrays take over {total / 1e6:,.0f} MB, the file has {file_bytes / 1e6:,.1f}"
            )
        datasets[name] = dataset
    return datasets


def check_attribute(attribute: h5py.h5a.AttrID, name: str) -> None:
    """Check that an attribute is a number or a text.

    Raises:
        InputError: It is not, or it is very long.
    """
    if attribute.shape != () or not _is_plain(attribute.dtype):
        raise InputError(f"its attribute {name} is not a number or a text")
    if attribute.get_storage_size() > MAX_ATTRIBUTE_BYTES:
        raise InputError(f"its attribute {name} takes {attribute.get_storage_size():,} bytes")


def _walk(group: h5py.Group, path: str, seen: set[int]) -> Iterator[tuple[str, h5py.Dataset]]:
    if path.count("/") > MAX_DEPTH:
        raise InputError(f"its groups are nested more than {MAX_DEPTH} deep")
    for name in group:
        place = f"{path}{name}"
        if group.id.links.get_info(name.encode("utf-8", "surrogateescape")).type != _HARD:
            raise InputError(f"{place} is a link to another place or file")
        item = group[name]
        if isinstance(item, h5py.Dataset):
            yield place, item
        elif isinstance(item, h5py.Group):
            address = _address(item)
            if address in seen or len(seen) > MAX_OBJECTS:
                raise InputError(f"{place} is a group that the file holds elsewhere too")
            seen.add(address)
            yield from _walk(item, f"{place}/", seen)


def _check_dataset(dataset: h5py.Dataset, name: str) -> None:
    properties = dataset.id.get_create_plist()
    layout = properties.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        raise InputError(f"{name} is a virtual dataset, whose values are in other places")
    if properties.get_external_count():
        raise InputError(f"{name} has its values in another file")
    if dataset.shape is None or not _is_plain(dataset.dtype):
        raise InputError(f"{name} is not an array of numbers or texts")
    for number in range(properties.get_nfilters()):
        if properties.get_filter(number)[0] not in FILTERS:
            raise InputError(f"{name} is compressed in a way that HDF5 does not bring with it")


def _is_plain(dtype: np.dtype) -> bool:
    """Numbers of up to 8 bytes, and texts."""
    return dtype.kind == "S" or (dtype.kind in "biuf" and dtype.itemsize <= 8) or _is_text(dtype)


def _is_text(dtype: np.dtype) -> bool:
    return dtype.kind == "O" and h5py.check_string_dtype(dtype) is not None


def _bytes(dataset: h5py.Dataset) -> int:
    return int(dataset.size) * int(dataset.dtype.itemsize)


def _address(group: h5py.Group) -> int:
    return int(h5py.h5o.get_info(group.id).addr)
