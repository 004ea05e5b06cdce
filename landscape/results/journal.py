"""Finished parts of a long computation, kept in a file that survives a kill at any instant.

The file starts with a line of JSON: the fingerprint of the question that the parts belong to, and
what was decided before the first of them. Every record after it is one part
(:mod:`landscape.results.records`). A record is appended in one write, so that a kill cuts short no
more than the last one. Reading leaves out whatever is damaged, and opening a journal truncates a
last record that was cut short.
"""

import json
import logging
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landscape.results.files import put_aside, replacing
from landscape.results.fingerprint import differences
from landscape.results.records import Record, append, pack, read, scan

LOGGER = logging.getLogger(__name__)

Key = tuple[int, ...]
Values = NDArray[np.float64]

FORMAT = 2
SYNC_EVERY = 2.0  # seconds; a kill loses nothing in between, a power cut would
# A disk that has less room than so many more records is not filled up.
SPARE_RECORDS = 4


@dataclass(frozen=True)
class Entries:
    """What a journal holds: ``values`` are the contents of its records as float64 arrays."""

    question: dict[str, Any]
    decisions: dict[str, Any]
    values: dict[Key, Values]


class Journal:
    """Appends the finished parts of one question to a file, and reads back those that it has.

    A journal of another question is renamed, with a message that says what has changed. Where the
    disk is nearly full, or a write fails, recording stops with a message and the work goes on.

    Args:
        path: the file, which is created if it is not there.
        question: the fingerprint of the question, of JSON types.
        decisions: what else has to be the same for the parts to belong together.

    Example:
        >>> with Journal(Path("surface.journal"), {"seed": 0}) as journal:
        ...     journal.add((0, 1), np.array([2.5]))
        ...     journal.values((0, 1))
        array([2.5])
    """

    def __init__(
        self, path: Path, question: Mapping[str, Any], decisions: Mapping[str, Any] | None = None
    ) -> None:
        self.path = path
        decisions = dict(decisions or {})
        set_aside_if_other(path, question, decisions)
        if not path.exists():
            header = {"format": FORMAT, "question": dict(question), "decisions": decisions}
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(header) + "\n")
        self._file = os.open(path, os.O_RDWR | os.O_APPEND)
        start = end = _header_length(path)
        self._records: dict[Key, Record] = {}
        for key, record in scan(self._file, start):
            self._records[_decode(key)] = record
            end = record.end
        os.ftruncate(self._file, end)
        self._synced = time.monotonic()
        self._is_recording = True

    def __len__(self) -> int:
        """How many parts there are."""
        return len(self._records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def content(self, key: Key) -> bytes | None:
        """The content of a part, or None if the journal does not have it."""
        record = self._records.get(key)
        return None if record is None else read(self._file, record.start, record.length)

    def values(self, key: Key) -> Values | None:
        """The content of a part that was added as a float64 array, of shape (n,)."""
        content = self.content(key)
        return None if content is None else np.frombuffer(content).copy()

    def add(self, key: Key, content: bytes | Values) -> None:
        """Append one part: bytes, or the bytes of a float64 array. A later one replaces it."""
        if not self._is_recording:
            return
        if not isinstance(content, bytes):
            content = np.asarray(content, dtype=np.float64).tobytes()
        if shutil.disk_usage(self.path.parent).free < SPARE_RECORDS * len(content):
            self._stop("the disk is nearly full")
            return
        try:
            end = append(self._file, pack(_encode(key), content))
        except OSError as error:
            self._stop(str(error))
            return
        self._records[key] = Record(end - len(content), len(content))
        if time.monotonic() - self._synced > SYNC_EVERY:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def close(self) -> None:
        """Close the file; :func:`remove_journals` deletes it once the answer is saved."""
        os.close(self._file)

    def _stop(self, reason: str) -> None:
        LOGGER.info(f"{self.path} records nothing further: {reason}")
        self._is_recording = False


def read_journal(path: Path) -> Entries | None:
    """The entries of a journal, which may be in use; None if there is no readable one."""
    header = _read_header(path)
    if header is None:
        return None
    file = os.open(path, os.O_RDONLY)
    try:
        values = {
            _decode(key): np.frombuffer(read(file, record.start, record.length)).copy()
            for key, record in scan(file, _header_length(path))
        }
    finally:
        os.close(file)
    return Entries(header["question"], header["decisions"], values)


def set_aside_if_other(
    path: Path, question: Mapping[str, Any], decisions: Mapping[str, Any] | None = None
) -> None:
    """Rename a journal that does not belong to ``question``, and say what has changed.

    Decisions are compared only if they are given.
    """
    if not path.exists():
        return
    header = _read_header(path)
    if header is None:
        why = "its first line can't be read"
    else:
        changed = differences(header["question"], question)
        if decisions is not None:
            changed += differences(header["decisions"], decisions)
        if not changed:
            return
        why = "; ".join(changed)
    aside = put_aside(path)
    LOGGER.info(f"{path} belongs to another question ({why}): kept as {aside.name}")


def find_journals(base: Path) -> list[Path]:
    """The journals of all ranks: ``base`` of the first, ``base.1`` and so on of the others."""
    of_other_ranks = sorted(base.parent.glob(f"{base.name}.[0-9]*"))
    return [path for path in (base, *of_other_ranks) if path.is_file()]


def remove_journals(base: Path) -> None:
    """Delete the journals of all ranks: the answer that they led to is saved."""
    for path in find_journals(base):
        path.unlink(missing_ok=True)


def _encode(key: Key) -> bytes:
    return ",".join(map(str, key)).encode()


def _decode(key: bytes) -> Key:
    return tuple(map(int, key.split(b",")))


def _read_header(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            line = file.readline()
            header = json.loads(line) if line.endswith(b"\n") else None
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        return None
    return header if {"question", "decisions"} <= header.keys() else None


def _header_length(path: Path) -> int:
    with path.open("rb") as file:
        return len(file.readline())
