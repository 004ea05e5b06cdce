"""What the process does with freed memory, seen from the operating system."""

import platform
import subprocess
import sys

import pytest

from landscape.runtime.machine import allocator

PROGRAM = """
import ctypes, sys
from landscape.runtime.machine.allocator import keep_freed_memory, return_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20

def kept():
    before = resident()
    block = libc.malloc(256 << 20)
    ctypes.memset(block, 1, 256 << 20)
    libc.free(block)
    return resident() - before

assert return_freed_memory()
first = kept()
assert keep_freed_memory()
print(first, kept())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_a_freed_block_stays_with_the_process_only_when_asked() -> None:
    run = [sys.executable, "-c", PROGRAM]
    returned, kept = map(int, subprocess.check_output(run, text=True).split())
    assert returned < 16
    assert kept > 240


def test_another_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator.ctypes, "CDLL", None)
    assert not allocator.keep_freed_memory()
    assert not allocator.return_freed_memory()
