"""A safe reader for pickles of bytes and lists.

A pickle can call any function with any arguments; this reader admits only what is needed for an
array of bytes.
"""

import codecs
import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray


def unpickle(raw: bytes, *keys: bytes) -> list[Any]:
    """The values at some keys of a pickled dict.

    Args:
        raw: the pickle.
        keys: which values.

    Returns:
        The values, in which arrays are :class:`ByteArray`.

    Raises:
        ValueError: if the pickle is not a dict with these keys.
        pickle.UnpicklingError: if it contains other objects than lists, bytes and arrays of bytes.
    """
    content = _Unpickler(io.BytesIO(raw), encoding="bytes").load()
    if not isinstance(content, dict) or not content.keys() >= set(keys):
        expected = " and ".join(key.decode() for key in keys)
        raise ValueError(f"expected a dict with {expected}")
    return [content[key] for key in keys]


class _ByteType:
    """Replaces numpy's dtype, which does not check the state that a pickle gives it."""

    def __init__(self, code: bytes | str, *_: Any) -> None:
        if code not in (b"u1", "u1"):
            raise pickle.UnpicklingError(f"expected an array of bytes (u1), got {code!r}")

    def __setstate__(self, state: Any) -> None:
        pass


class ByteArray:
    """Replaces numpy's array, which does not check its state either.

    Attributes:
        values: the array.
    """

    values: NDArray[np.uint8]

    def __init__(self, *_: Any) -> None:
        self.values = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _ByteType, bool, bytes]) -> None:
        _, shape, _, is_fortran, raw = state
        self.values = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if is_fortran else "C")


class _Unpickler(pickle.Unpickler):
    """Admits only the names that pickled arrays of bytes refer to."""

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
            refused = repr(f"{module}.{name}")
            raise pickle.UnpicklingError(f"expected arrays and lists only, got {refused}")
        return self.ADMITTED[module, name]
