"""Whether the C library keeps freed memory for the next allocation or returns it to the system.

A forward pass allocates and frees the same large blocks for every batch. By default glibc gives
blocks of tens of megabytes back, and the system hands them out again page by page and zeroed:
a sixth to a third of the time of a pass on a processor (benchmarks/RESULTS.md).
"""

import ctypes
import platform

# Parameters of mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_INT = 2**31 - 1
# Where glibc's own adaptation ends (mallopt(3), "dynamic mmap threshold", on 64 bits).
_ADAPTED_MMAP, _ADAPTED_TRIM = 32 << 20, 64 << 20


def keep_freed_memory() -> bool:
    """Let the process keep what it frees; whether that is in force.

    It concerns the whole process, so only programs call it. Other libraries than glibc are left
    as they are.
    """
    return _set_thresholds(_LARGEST_INT, _LARGEST_INT)


def return_freed_memory() -> bool:
    """The opposite: blocks are returned as glibc does by itself after it has seen large ones."""
    return _set_thresholds(_ADAPTED_MMAP, _ADAPTED_TRIM)


def _set_thresholds(mmap: int, trim: int) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, mmap) and mallopt(_TRIM_THRESHOLD, trim))
