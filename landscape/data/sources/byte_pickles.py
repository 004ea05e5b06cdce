"""Pickles of bytes and lists, read without running what they hold.

A pickle can name any function to be called with any arguments; this reader admits what an array of
bytes is made of, and nothing else.
"""

import codecs
import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray


def unpickle(raw: bytes, *keys: bytes) -> list[Any]:
    """The values at ``keys`` of a pickled dict; its arrays are :class:`ByteArray`.

    Raises ValueError or UnpicklingError for anything but such a dict of lists, bytes and arrays.
    """
    found = _Unpickler(io.BytesIO(raw), encoding="bytes").load()
    if not isinstance(found, dict) or not found.keys() >= set(keys):
        expected = " and ".join(key.decode() for key in keys)
        raise ValueError(f"expected a dict with {expected}")
    return [found[key] for key in keys]


class _ByteType:
    """Stands in for numpy's dtype, which believes whatever state a pickle gives it."""

    def __init__(self, code: bytes | str, *_: Any) -> None:
        if code not in (b"u1", "u1"):
            raise pickle.UnpicklingError(f"expected an array of bytes (u1), got {code!r}")

    def __setstate__(self, state: Any) -> None:
        pass


class ByteArray:
    """Stands in for numpy's array, likewise. ``values`` has its content."""

    values: NDArray[np.uint8]

    def __init__(self, *_: Any) -> None:
        self.values = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _ByteType, bool, bytes]) -> None:
        _, shape, _, is_fortran, raw = state
        self.values = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if is_fortran else "C")


class _Unpickler(pickle.Unpickler):
    """Admits what an array of bytes is made of, and nothing that would run."""

    ADMITTED = {
        ("numpy.core.multiarray", "_reconstruct"): ByteArray,
        ("numpy._core.multiarray", "_reconstruct"): ByteArray,  # its name since numpy 2
        ("numpy", "ndarray"): ByteArray,
        ("numpy", "dtype"): _ByteType,
        ("_codecs", "encode"): codecs.encode,  # bytes, where Python 3 wrote for Python 2
    }

    def find_class(self, module: str, name: str) -> Any:
        """The function or class of that name."""
        if (module, name) not in self.ADMITTED:
            asked = repr(f"{module}.{name}")
            raise pickle.UnpicklingError(f"expected arrays and lists only, got {asked}")
        return self.ADMITTED[module, name]
