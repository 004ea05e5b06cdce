"""The record of finished points, which survives a kill at any instant.

A text file. The first line says in JSON which question the points answer, and how; every further
line is one point: its key, its values in hexadecimal notation (exact to the last bit), and a
checksum. Lines are only ever appended, each in one write, so a kill can spoil no more than the
last one, which reading then leaves out.
"""

import json
import os
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.results.files import replacing

Key = tuple[int, ...]
Values = NDArray[np.float64]

SYNC_EVERY = 2.0  # seconds; a kill loses nothing in between, a power cut would


@dataclass(frozen=True)
class Entries:
    """What a journal holds."""

    header: dict[str, Any]
    values: dict[Key, Values]


class Journal:
    """Appends points to a file that :func:`read_journal` reads."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        if read_journal(path) is None:
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(dict(header)) + "\n")
        self._file = os.open(path, os.O_RDWR | os.O_APPEND)
        size = os.fstat(self._file).st_size
        if os.pread(self._file, 1, size - 1) != b"\n":  # a kill cut the last line short
            os.write(self._file, b"\n")
        self._synced = time.monotonic()

    def add(self, key: Key, values: Sequence[float] | Values) -> None:
        """Append one point."""
        content = f"{','.join(map(str, key))} {' '.join(float(v).hex() for v in values)}"
        os.write(self._file, f"{content} {zlib.crc32(content.encode()):08x}\n".encode())
        if time.monotonic() - self._synced > SYNC_EVERY:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def read_journal(path: Path) -> Entries | None:
    """The points of a journal; None if there is none, or none whose first line can be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        header = json.loads(lines[0])
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if not isinstance(header, dict):
        return None
    points = (_parse(line) for line in lines[1:])
    return Entries(header, dict(point for point in points if point is not None))


def _parse(line: str) -> tuple[Key, Values] | None:
    content, _, checksum = line.rpartition(" ")
    if not content or checksum != f"{zlib.crc32(content.encode()):08x}":
        return None
    key, *values = content.split(" ")
    return tuple(map(int, key.split(","))), np.array([float.fromhex(v) for v in values])
