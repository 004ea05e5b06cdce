"""Products that survive a kill.

Every answer is appended to a file together with a digest of what was asked. The algorithms are
deterministic: run again they ask for the same, are answered from the file as long as it lasts, and
go on where it ends. At most the product under way is lost.

The file is a line of JSON, which says which question it belongs to, and after it the records: a
digest of the request (16 bytes), the length of the answer and its CRC (4 bytes), the answer. A
kill can spoil no more than the last record, which reading then leaves out.
"""

import hashlib
import json
import logging
import os
import shutil
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landscape.curvature.products import ProductRequest, Products
from landscape.results.files import replacing

LOGGER = logging.getLogger(__name__)

_HEAD = struct.Struct("<16sQI")
# A disk that has less room than so many more records is not filled up.
SPARE_RECORDS = 4


class RecordedProducts:
    """The same products, from a file where it has them."""

    def __init__(self, answer: Products, path: Path, question: Mapping[str, Any]) -> None:
        self._answer = answer
        self._path = path
        header = json.dumps(dict(question), sort_keys=True).encode() + b"\n"
        if not path.exists() or not _starts_with(path, header):
            with replacing(path) as temporary:
                temporary.write_bytes(header)
        self._file = os.open(path, os.O_RDWR)
        self._start = len(header)
        self._records = _scan(self._file, self._start)
        self._place = 0
        self._is_recording = True

    @property
    def left(self) -> int:
        """How many answers the file has for what will be asked next."""
        return len(self._records) - self._place

    def __call__(self, requests: Sequence[ProductRequest], *, exact: bool = False) -> list[Tensor]:
        """The products, from the file or new."""
        digest = hashlib.blake2b(repr(exact).encode(), digest_size=16)
        for one in requests:
            digest.update(repr((one.group, tuple(one.vectors.shape))).encode())
            digest.update(_bytes(one.vectors))
        return self._known(
            digest.digest(),
            [one.vectors for one in requests],
            lambda: self._answer(requests, exact=exact),
        )

    def gradient(self) -> Tensor:
        """The gradient; it costs little and is not kept."""
        return self._answer.gradient()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _known(self, digest: bytes, like: list[Tensor], compute: Any) -> list[Tensor]:
        if self.left and self._records[self._place][0] == digest:
            _, start, length = self._records[self._place]
            self._place += 1
            return _tensors(_read(self._file, length, start), like)
        del self._records[self._place :]
        found: list[Tensor] = compute()
        self._append(digest, b"".join(map(_bytes, found)))
        return found

    def _append(self, digest: bytes, content: bytes) -> None:
        if not self._is_recording:
            return
        if shutil.disk_usage(self._path.parent).free < SPARE_RECORDS * len(content):
            LOGGER.info(f"the disk is nearly full: {self._path} records no further products")
            self._is_recording = False
            return
        start = self._records[-1][1] + self._records[-1][2] if self._records else self._start
        head = _HEAD.pack(digest, len(content), zlib.crc32(content))
        try:
            os.ftruncate(self._file, start)
            _write(self._file, head + content, start)
        except OSError as error:
            LOGGER.info(f"{self._path} records no further products: {error}")
            self._is_recording = False
            return
        self._records.append((digest, start + _HEAD.size, len(content)))
        self._place = len(self._records)


def _starts_with(path: Path, header: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(header)) == header


def _scan(file: int, place: int) -> list[tuple[bytes, int, int]]:
    """Digest, place and length of the content of every whole record from ``place`` on."""
    size = os.fstat(file).st_size
    records = []
    while place + _HEAD.size <= size:
        digest, length, checksum = _HEAD.unpack(os.pread(file, _HEAD.size, place))
        place += _HEAD.size
        content = _read(file, length, place) if place + length <= size else b""
        if len(content) != length or zlib.crc32(content) != checksum:
            break
        records.append((digest, place, length))
        place += length
    return records


def _write(file: int, content: bytes, place: int) -> None:
    """All of it: one call of the system writes no more than 2 GiB."""
    left = memoryview(content)
    while left:
        written = os.pwrite(file, left, place)
        left, place = left[written:], place + written


def _read(file: int, length: int, place: int) -> bytes:
    """So many bytes, of which one call of the system reads no more than 2 GiB."""
    parts = []
    while length and (part := os.pread(file, length, place)):
        parts.append(part)
        length, place = length - len(part), place + len(part)
    return b"".join(parts)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.contiguous().cpu().numpy().tobytes()


def _tensors(content: bytes, like: list[Tensor]) -> list[Tensor]:
    found, place = [], 0
    for one in like:
        length = one.numel() * one.element_size()
        flat = torch.frombuffer(bytearray(content[place : place + length]), dtype=one.dtype)
        found.append(flat.view(one.shape).to(one.device))
        place += length
    return found
