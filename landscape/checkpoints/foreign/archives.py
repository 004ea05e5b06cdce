"""The zip archives that torch and numpy write: their sizes and checksums, before they are used.

torch.load does not compare the records of a file with the CRC-32 that its archive has for each, so
that a flipped bit would be a weight like any other.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landscape.errors import InputError

# Weights are hardly compressible, and torch and numpy.savez store them as they are.
MOST_TIMES = 8
MOST_BYTES = 256 * 1024**2

_CHUNK = 1024**2
_END = b"PK\x05\x06"
_LONGEST_END = 22 + 2**16  # with the longest comment, in bytes
_COUNT_IS_ELSEWHERE = 0xFFFF  # in an archive of the 64-bit kind

# What zipfile raises for archives that are damaged, each in its own way.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    OSError,
    EOFError,
    RuntimeError,  # a damaged flag says that a record is encrypted
    NotImplementedError,
    MemoryError,
    OverflowError,
)


def is_archive(path: Path) -> bool:
    """Whether a file has the end of an archive that can be read; False for one that is damaged."""
    try:
        return zipfile.is_zipfile(path)
    except ZIP_ERRORS:  # an end that names several disks, say
        return False


def refuse_large_archive(path: Path) -> None:
    """Raise InputError for an archive that unpacks to far more than it takes on disk.

    The sizes are those that its directory names, so that nothing is unpacked to find out.

    Raises:
        InputError: It would unpack to over :data:`MOST_TIMES` its size and :data:`MOST_BYTES`.
        zipfile.BadZipFile: Or others of :data:`ZIP_ERRORS`: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
    if _count_of_records(path) not in (len(records), _COUNT_IS_ELSEWHERE):
        raise zipfile.BadZipFile("its directory has not as many records as its end says")
    unpacked = sum(record.file_size for record in records)
    size = path.stat().st_size
    most = MOST_TIMES * size + MOST_BYTES
    if unpacked > most:
        raise InputError(
            f"{path} has {size:,} bytes and would unpack to {unpacked:,}, expected at most "
            f"{most:,} ({MOST_TIMES} times its size and {MOST_BYTES // 1024**2} MiB); if you trust "
            "it, unpack it and save the weights anew without compression"
        )


def _count_of_records(path: Path) -> int:
    """The number of records that the end of an archive says, which zipfile does not compare."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_END))
        end = file.read()
    place = end.rfind(_END)
    return int.from_bytes(end[place + 10 : place + 12], "little")


def check_archive(path: Path) -> None:
    """Compare every record of an archive with its checksum.

    Files that torch saved without checksums, which are all 0 in them, pass.

    Raises:
        InputError: A record differs, is there twice, or the archive is too large.
        zipfile.BadZipFile: Or others of :data:`ZIP_ERRORS`: its structure is damaged.
    """
    refuse_large_archive(path)
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        if len(archive.NameToInfo) < len(records):
            raise InputError(
                f"{path} is damaged: two records have one name; copy, download or save it again"
            )
        if not any(record.CRC for record in records):
            return
        for record in records:
            with _told(path, record), archive.open(record) as stream:
                while stream.read(_CHUNK):
                    pass


@contextmanager
def _told(path: Path, record: zipfile.ZipInfo) -> Iterator[None]:
    try:
        yield
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{path} is damaged: its record {ascii(record.filename[:60])} is not what was saved "
            f"({error}); copy, download or save it again"
        ) from error
