"""The seal of a result file: a checksum of everything that the HDF5 library reads.

It stands in the file's user block, the first bytes of an HDF5 file, which the format leaves to the
application (HDF5 File Format Specification 3.0, section II.A) and every HDF5 reader skips.
"""

import hashlib
from io import BufferedReader
from pathlib import Path

from landscape.errors import InputError

USER_BLOCK = 512  # bytes, the smallest that the format allows
_FIRST_LINE = b"loss-landscape-toolkit result"


def seal(content: memoryview) -> bytes:
    """The user block of a file.

    Args:
        content: everything behind the user block.

    Returns:
        :data:`USER_BLOCK` bytes.
    """
    return _user_block(len(content), hashlib.sha256(content).hexdigest())


def is_sealed(file: BufferedReader) -> bool:
    """Whether a file starts with a seal, be it broken or not."""
    file.seek(0)
    return file.read(len(_FIRST_LINE)) == _FIRST_LINE


def verify(file: BufferedReader, path: Path) -> None:
    """Check that a sealed file is, to the last bit, as it was written.

    Args:
        file: opened for reading.
        path: for the message.

    Raises:
        InputError: It is not.
    """
    file.seek(0)
    user_block = file.read(USER_BLOCK)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    if user_block != _user_block(file.tell() - USER_BLOCK, digest):
        raise InputError(
            f"{path} is damaged or was changed: it has not the checksum that it was written with; "
            "measure again, or restore a copy"
        )


def _user_block(length: int, digest: str) -> bytes:
    text = _FIRST_LINE + f"\nbytes {length}\nsha256 {digest}\n".encode()
    return text.ljust(USER_BLOCK, b"\0")
