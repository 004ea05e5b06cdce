"""The records of a journal: how a part is stored, and how damage is noticed.

A record is a head (a marker, the lengths of key and content, and checksums of everything), the key
and the content. Where one is damaged, reading continues at the next marker.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_MARKER = b"\xa7rec"
# Marker, bytes of the key, bytes and CRC-32 of the content; then the CRC-32 of that and the key.
_HEAD = struct.Struct("<4sHQI")
_CHECKSUM = struct.Struct("<I")
_PIECE = 2**24  # bytes that are read at once


@dataclass(frozen=True)
class Record:
    """Where in the file the content of a record is."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """Where the next record starts."""
        return self.start + self.length


def pack(key: bytes, content: bytes) -> bytes:
    """A record as it stands in the file."""
    head = _HEAD.pack(_MARKER, len(key), len(content), zlib.crc32(content))
    return b"".join([head, _CHECKSUM.pack(zlib.crc32(head + key)), key, content])


def append(file: int, record: bytes) -> int:
    """Write all of it, of which one system call takes at most 2 GiB; returns where it ends."""
    left = memoryview(record)
    while left:
        left = left[os.write(file, left) :]
    return os.lseek(file, 0, os.SEEK_CUR)


def scan(file: int, place: int) -> Iterator[tuple[bytes, Record]]:
    """Key and place of every whole record from ``place`` on; damaged ones are left out."""
    while place >= 0:
        entry = _record_at(file, place)
        if entry is None:
            place = _find_marker(file, place + 1)
        else:
            yield entry
            place = entry[1].end


def _record_at(file: int, place: int) -> tuple[bytes, Record] | None:
    head = read(file, place, _HEAD.size)
    if len(head) < _HEAD.size:
        return None
    marker, key_length, length, checksum = _HEAD.unpack(head)
    if marker != _MARKER:
        return None
    start = place + _HEAD.size + _CHECKSUM.size + key_length
    key = read(file, start - key_length, key_length)
    if read(file, place + _HEAD.size, _CHECKSUM.size) != _CHECKSUM.pack(zlib.crc32(head + key)):
        return None
    if start + length > os.fstat(file).st_size:
        return None
    actual = 0
    for piece in _pieces(file, start, length):
        actual = zlib.crc32(piece, actual)
    if actual != checksum:
        return None
    return key, Record(start, length)


def _find_marker(file: int, place: int) -> int:
    """Where the next marker starts; -1 if there is none."""
    while piece := os.pread(file, _PIECE, place):
        index = piece.find(_MARKER)
        if index >= 0:
            return place + index
        if len(piece) < len(_MARKER):
            return -1
        place += len(piece) - len(_MARKER) + 1  # a marker may lie across two pieces
    return -1


def read(file: int, place: int, length: int) -> bytes:
    """``length`` bytes from ``place`` on, or as many as there are."""
    return b"".join(_pieces(file, place, length))


def _pieces(file: int, place: int, length: int) -> Iterator[bytes]:
    while length and (piece := os.pread(file, min(length, _PIECE), place)):
        yield piece
        place, length = place + len(piece), length - len(piece)
