"""Products that survive a kill.

Every answer is appended to a journal under a digest of its request. The algorithms are
deterministic: run again they make the same requests, which are answered from the journal as far as
it goes, and continue where it ends. At most the product under way is lost.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landscape.curvature.requests import ProductRequest, Products
from landscape.results.journal import Journal, Key


class RecordedProducts:
    """The products of ``answer``, taken from a journal where it has them.

    Args:
        answer: computes the products that the journal does not have.
        path: the journal; one of another question is set aside.
        question: the fingerprint of what the products are needed for.
        part: the part of the sample that ``answer`` multiplies, where a journal has several.
    """

    def __init__(
        self, answer: Products, path: Path, question: Mapping[str, Any], part: str = ""
    ) -> None:
        self._answer = answer
        self._part = part
        self._journal = Journal(path, question)

    @property
    def num_recorded(self) -> int:
        """How many answers the journal has."""
        return len(self._journal)

    def __call__(self, requests: Sequence[ProductRequest], *, exact: bool = False) -> list[Tensor]:
        """The products, recorded or new."""
        key = _digest(requests, exact, self._part)
        content = self._journal.content(key)
        if content is not None:
            return _split(content, [request.vectors for request in requests])
        products = self._answer(requests, exact=exact)
        self._journal.add(key, b"".join(map(_bytes, products)))
        return products

    def gradient(self) -> Tensor:
        """The gradient, which costs little and is not recorded."""
        return self._answer.gradient()

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()


def _digest(requests: Sequence[ProductRequest], exact: bool, part: str) -> Key:
    digest = hashlib.blake2b(f"{exact}{part}".encode(), digest_size=16)
    for request in requests:
        digest.update(repr((request.group, tuple(request.vectors.shape))).encode())
        digest.update(_bytes(request.vectors))
    return (int.from_bytes(digest.digest()),)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.contiguous().cpu().numpy().tobytes()


def _split(content: bytes, like: list[Tensor]) -> list[Tensor]:
    """The tensors that ``content`` holds, with the shapes and devices of ``like``.

    They are of the same type, or where ``content`` has eight bytes for each number in float64.
    """
    tensors, place = [], 0
    size = len(content) // max(1, sum(model.numel() for model in like))
    for model in like:
        length = model.numel() * size
        dtype = torch.float64 if size == torch.float64.itemsize else model.dtype
        flat = torch.frombuffer(bytearray(content[place : place + length]), dtype=dtype)
        tensors.append(flat.view(model.shape).to(model.device))
        place += length
    return tensors
