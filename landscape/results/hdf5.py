"""Opening HDF5 files, also damaged ones, on which the HDF5 library may crash or never return."""

import faulthandler
import os
import signal
import sys
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from landscape.errors import InputError

# A child process that computes for longer than this to read a file's small parts loops, and one
# that has not read them after so long hangs: the processor or the disk may be busy with others.
SECONDS = 0.5
LONGEST_SECONDS = 60.0
# Larger arrays are left out: they are read in one piece, by code that checks what it reads.
LARGEST_BYTES = 1 << 20


def open_hdf5(path: str | Path) -> h5py.File:
    """Open a file for reading.

    Bits that flip within a text of variable length make the library crash or loop, which nothing
    in a process can catch. So a child process reads all attributes and small arrays first.

    Raises:
        InputError: The library crashes or hangs on the file.
        OSError: It is no HDF5 file, or can't be read.
    """
    path = Path(path)
    status = path.stat()
    if not _survives(str(path.resolve()), status.st_mtime_ns, status.st_size):
        raise InputError(
            f"{path} is damaged: the HDF5 library crashes or hangs on it; remove it and measure "
            "again, or restore a copy"
        )
    return h5py.File(path, "r")


@lru_cache(maxsize=256)
def _survives(path: str, modified: int, size: int) -> bool:  # noqa: ARG001 - of the cache's key
    """Whether a child process can read a file; True where no process can be forked."""
    if not hasattr(os, "fork"):
        return True
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Python warns of forks beside other threads; the child touches nothing but the file.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the library writes its own errors
            faulthandler.disable()
            for timer, number, limit in (
                (signal.ITIMER_PROF, signal.SIGPROF, SECONDS),
                (signal.ITIMER_REAL, signal.SIGALRM, LONGEST_SECONDS),
            ):
                signal.signal(number, signal.SIG_DFL)
                signal.setitimer(timer, limit)
            _read_small_parts(path)
        finally:  # what can be caught is reported by the process itself
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


def _read_small_parts(path: str) -> None:
    def read(_name: str, item: Any) -> None:
        dict(item.attrs)
        if isinstance(item, h5py.Dataset) and item.size * item.dtype.itemsize <= LARGEST_BYTES:
            np.asarray(item[()])

    with h5py.File(path, "r") as file:
        read("", file)
        file.visititems(read)
