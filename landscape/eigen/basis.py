"""The orthonormal vectors of a Lanczos process, kept where there is room for them."""

import math

import torch
from torch import Tensor

from landscape.runtime.devices import free_memory

# Of the memory that is free on a GPU, so much may hold a basis; a larger one lives on the host.
SHARE_OF_MEMORY = 0.3
# A basis on the host visits the device in pieces of so many bytes.
PIECE_BYTES = 2**28


class Basis:
    """Rows of length P, up to ``limit`` of them, in memory that grows as they come."""

    def __init__(self, like: Tensor, limit: int, storage: torch.device | None = None) -> None:
        size = len(like)
        self._limit = limit
        self._device = like.device
        self._storage = storage or _storage(like, limit)
        self._rows = torch.empty(min(16, limit), size, dtype=like.dtype, device=self._storage)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, vector: Tensor) -> None:
        """One more row."""
        if self._count == len(self._rows):
            grown = self._rows.new_empty(min(2 * len(self._rows), self._limit), self._rows.shape[1])
            grown[: self._count] = self._rows
            self._rows = grown
        self._rows[self._count] = vector
        self._count += 1

    def row(self, number: int) -> Tensor:
        """One of them, of shape (P,)."""
        return self._rows[: self._count][number].to(self._device)

    def without(self, vector: Tensor) -> Tensor:
        """``vector`` without its components in the rows; two passes, which is enough."""
        for _ in range(2):
            for rows in self._pieces(self._count):
                vector = vector - rows.T @ (rows @ vector)
        return vector

    def combine(self, coefficients: Tensor) -> Tensor:
        """The combinations of the first rows by ``coefficients`` (m, K), of shape (P, K)."""
        found = torch.zeros(
            self._rows.shape[1], coefficients.shape[1], dtype=self._rows.dtype, device=self._device
        )
        parts = coefficients.to(found)
        start = 0
        for rows in self._pieces(len(coefficients)):
            found += rows.T @ parts[start : start + len(rows)]
            start += len(rows)
        return found

    def replace(self, vectors: Tensor) -> None:
        """Only the columns of ``vectors`` (P, K) from now on."""
        self._count = vectors.shape[1]
        self._rows[: self._count] = vectors.T

    def _pieces(self, count: int) -> list[Tensor]:
        rows = self._rows[:count]
        if self._storage == self._device:
            return [rows]
        together = max(1, PIECE_BYTES // (rows.shape[1] * rows.element_size()))
        return [piece.to(self._device) for piece in rows.split(together)]


def basis_bytes(size: int, rows: int, dtype: torch.dtype) -> int:
    """What a basis takes."""
    return size * rows * torch.empty((), dtype=dtype).element_size()


def affordable_rows(size: int, dtype: torch.dtype, device: torch.device) -> int:
    """How many rows there is memory for: of the host, where a GPU has not enough."""
    free = free_memory(torch.device("cpu"))
    if device.type == "cuda":
        free = max(free, free_memory(device))
    return max(2, math.floor(SHARE_OF_MEMORY * free / basis_bytes(size, 1, dtype)))


def _storage(like: Tensor, limit: int) -> torch.device:
    needed = basis_bytes(len(like), limit, like.dtype)
    fits = needed <= SHARE_OF_MEMORY * free_memory(like.device)
    return like.device if fits or like.device.type == "cpu" else torch.device("cpu")
