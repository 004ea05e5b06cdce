"""Reading an HDF5 file in a child process, on which the library may crash or never return.

Bits that flip within a text of variable length do that, and nothing in a process can catch it. The
child has a limit of time and of memory, and sends what it has read through a pipe.
"""

import faulthandler
import gc
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from landscape.errors import InputError
from landscape.results.hdf5.content import Content

# A child that computes for longer loops, and one that has not ended after so long hangs: the
# processor or the disk may be busy with others.
SECONDS = 1.0
SECONDS_PER_BYTE = 5e-8
LONGEST_SECONDS = 60.0
# What a child may take above the memory of its parent and the length of the file.
SPARE_BYTES = 1 << 30


def read_in_child(path: Path, read: Callable[[], Content], file_bytes: int) -> Content:
    """Call a function in a child process, and return its content.

    Where processes can't be forked it is called in this one.

    Args:
        path: of the file, for messages.
        read: reads the file.
        file_bytes: the length of the file.

    Raises:
        InputError: The library crashes or hangs on the file, or what ``read`` raises.
    """
    if not hasattr(os, "fork"):
        return read()
    sys.stdout.flush()
    sys.stderr.flush()
    receiving, sending = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forks beside other threads; the child touches nothing but the file.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_the_child(read, sending, file_bytes)
    os.close(sending)
    try:
        with os.fdopen(receiving, "rb") as pipe:
            message = bytearray(pipe.read())
    finally:
        _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        raise InputError(
            f"{path} is damaged: the HDF5 library crashes or hangs on it; remove it and measure "
            "again, or restore a copy"
        )
    head, _, body = message.partition(b"\n")
    description = json.loads(head)
    if "error" in description:
        raise InputError(f"{path} is damaged or not a file of results: {description['error']}")
    return _unpack(description, body)


def _be_the_child(read: Callable[[], Content], sending: int, file_bytes: int) -> NoReturn:
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the library writes its own errors
        faulthandler.disable()
        gc.disable()  # it would touch, and so copy, all the memory that is shared with the parent
        for timer, number, limit in (
            (signal.ITIMER_PROF, signal.SIGPROF, SECONDS + SECONDS_PER_BYTE * file_bytes),
            (signal.ITIMER_REAL, signal.SIGALRM, LONGEST_SECONDS),
        ):
            signal.signal(number, signal.SIG_DFL)
            signal.setitimer(timer, limit)
        _limit_memory(file_bytes)
        try:
            message = _pack(read())
        except Exception as error:
            message = [json.dumps({"error": f"{error}"[:500]}).encode() + b"\n"]
        with os.fdopen(sending, "wb") as pipe:
            pipe.writelines(message)
    finally:
        os._exit(0)


def _limit_memory(file_bytes: int) -> None:
    """Limit the address space, where the system says how large it is now."""
    import resource  # not on Windows, where no child is made

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return
    limit = pages * resource.getpagesize() + 2 * file_bytes + SPARE_BYTES
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or limit < most:
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _pack(content: Content) -> list[bytes | memoryview]:
    """A line of JSON, then the arrays of numbers one after the other."""
    arrays: list[dict[str, Any]] = []
    numbers: list[bytes | memoryview] = []
    for name, array in content.arrays.items():
        entry: dict[str, Any] = {"name": name, "shape": array.shape}
        if array.dtype == object:
            entry["texts"] = array.ravel().tolist()
        else:
            entry["dtype"] = array.dtype.str
            numbers.append(np.ascontiguousarray(array).tobytes())
        arrays.append(entry)
    head = {"attributes": content.attributes, "shapes": content.shapes, "arrays": arrays}
    return [json.dumps(head).encode() + b"\n", *numbers]


def _unpack(head: dict[str, Any], body: bytearray) -> Content:
    arrays, place = {}, 0
    for entry in head["arrays"]:
        shape = tuple(entry["shape"])
        if "texts" in entry:
            texts = np.empty(len(entry["texts"]), dtype=object)
            texts[:] = entry["texts"]
            arrays[entry["name"]] = texts.reshape(shape)
            continue
        dtype = np.dtype(entry["dtype"])
        count = int(np.prod(shape, dtype=np.int64))
        arrays[entry["name"]] = np.frombuffer(body, dtype, count, place).reshape(shape)
        place += count * dtype.itemsize
    shapes = {name: tuple(shape) for name, shape in head["shapes"].items()}
    return Content(head["attributes"], shapes, arrays)
