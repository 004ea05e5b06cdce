"""Reading HDF5 files that anyone may have made.

A sealed file is read directly once its checksum is verified, any other one by a child process. In
both, everything is checked before it is read.
"""

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BufferedReader
from pathlib import Path

import h5py

from landscape.errors import InputError
from landscape.results.hdf5.child import read_in_child
from landscape.results.hdf5.content import Arrays, Attribute, Content, Request, read_content
from landscape.results.hdf5.seal import is_sealed, verify


@dataclass(frozen=True)
class Outline:
    """What a file says of itself.

    Attributes:
        attributes: its label, analysis and so on, as far as it has them.
        is_sealed: whether it carries a checksum, which is right.
    """

    attributes: Mapping[str, Attribute]
    is_sealed: bool


def is_hdf5(path: Path) -> bool:
    """Whether there is a regular file that has the mark of HDF5."""
    return path.is_file() and bool(h5py.is_hdf5(path))


def read_outline(path: Path) -> Outline:
    """Read what a file says of itself; a second call does not read it again unless it changed.

    Raises:
        FileNotFoundError: There is no such file.
        InputError: It is damaged, no HDF5 file, or refers to other files.
    """
    return _cached_outline(*_identity(path))


def read_arrays(
    path: Path,
    wanted: Callable[[str], bool] = lambda _name: True,
    rows: Mapping[str, int] | None = None,
) -> Arrays:
    """Read arrays of a file.

    Args:
        path: of the file.
        wanted: whether the array of a path is read; by default all are.
        rows: how many leading rows are read of an array of which not all are, by path.

    Returns:
        The arrays by path; texts are ``str`` in arrays of objects.

    Raises:
        FileNotFoundError: There is no such file.
        InputError: It is damaged, no HDF5 file, or refers to other files.
    """
    return _read(path, Request(wanted, rows or {}))[0].arrays


def read_shapes(path: Path) -> Mapping[str, tuple[int, ...]]:
    """The shapes of all arrays of a file by path.

    Raises:
        FileNotFoundError: There is no such file.
        InputError: It is damaged, no HDF5 file, or refers to other files.
    """
    return _read(path, Request(lambda _name: False))[0].shapes


def _identity(path: Path) -> tuple[Path, int, int, int]:
    """The path and what changes when the file does.

    Raises:
        FileNotFoundError: There is no such file.
        InputError: It is a folder, a pipe or a device.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is not a file; expected an HDF5 file")
    return path.absolute(), status.st_ino, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4096)
def _cached_outline(path: Path, _inode: int, _modified: int, _size: int) -> Outline:
    content, sealed = _read(path, Request(lambda _name: False, attributes_only=True))
    return Outline(content.attributes, sealed)


def _read(path: Path, request: Request) -> tuple[Content, bool]:
    _, _, _, size = _identity(path)
    try:
        with path.open("rb") as file:
            if not is_sealed(file):
                checked = replace(request, attributes_only=False)  # it can hold anything
                return read_in_child(path, lambda: _parse(file, size, checked), size), False
            verify(file, path)
            try:
                return _parse(file, size, request), True
            except InputError as error:
                raise InputError(f"{path} is not a file of results: {error}") from error
            # Whoever seals a file can put anything into it.
            except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
                raise InputError(f"{path} is not a file of results ({error})") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error


def _parse(file: BufferedReader, size: int, request: Request) -> Content:
    with h5py.File(file, "r") as opened:
        return read_content(opened, size, request)
