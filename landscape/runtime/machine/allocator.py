"""Whether the C library keeps freed memory for the next allocation or returns it to the system.

A forward pass allocates and frees the same large blocks for every batch. By default glibc returns
blocks of tens of megabytes to the system, which hands them out again page by page and zeroed: on a
CPU that is a sixth to a third of the time of a pass (benchmarks/RESULTS.md).
"""

import ctypes
import platform

# Parameters of mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_INT = 2**31 - 1
# Where glibc's own adaptation ends (mallopt(3), "dynamic mmap threshold", on 64 bits).
_ADAPTED_MMAP, _ADAPTED_TRIM = 32 << 20, 64 << 20


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees.

    This affects the whole process, so call it from programs, not from libraries.

    Returns:
        Whether the setting took effect; it does so with glibc alone.
    """
    return _set_thresholds(_LARGEST_INT, _LARGEST_INT)


def return_freed_memory() -> bool:
    """Undo :func:`keep_freed_memory`: return blocks as glibc does once it has seen large ones.

    Returns:
        Whether the setting took effect; it does so with glibc alone.
    """
    return _set_thresholds(_ADAPTED_MMAP, _ADAPTED_TRIM)


def _set_thresholds(mmap: int, trim: int) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, mmap) and mallopt(_TRIM_THRESHOLD, trim))
