"""The orthonormal vectors of a Lanczos process, in memory of the GPU or of the host."""

import math

import torch
from torch import Tensor

from landscape.runtime.devices import free_memory

# A basis takes at most this share of the free memory of a GPU; a larger one lives on the host.
SHARE_OF_MEMORY = 0.3
# Rows on the host are copied to the device in pieces of this size.
PIECE_BYTES = 2**28


class Basis:
    """Orthonormal rows of length P, in memory that grows with their number.

    Args:
        like: a vector of shape (P,), of the type and on the device of the vectors that come.
        limit: the largest number of rows.
        storage: the device that holds the rows; by default that of ``like`` if there is memory for
            all of them, else the host.
        size_of_all: the length of a row of all bases together that grow side by side, by default P.
    """

    def __init__(
        self,
        like: Tensor,
        limit: int,
        storage: torch.device | None = None,
        *,
        size_of_all: int | None = None,
    ) -> None:
        size = len(like)
        self._limit = limit
        self._device = like.device
        self._storage = storage or _storage(like, limit, size_of_all or size)
        self._rows = torch.empty(min(16, limit), size, dtype=like.dtype, device=self._storage)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, vector: Tensor) -> None:
        """Add a row."""
        if self._count == len(self._rows):
            grown = self._rows.new_empty(min(2 * len(self._rows), self._limit), self._rows.shape[1])
            grown[: self._count] = self._rows
            self._rows = grown
        self._rows[self._count] = vector
        self._count += 1

    def row(self, number: int) -> Tensor:
        """The row with this number, of shape (P,); negative numbers count from the end."""
        return self._rows[: self._count][number].to(self._device)

    def without(self, vector: Tensor) -> Tensor:
        """``vector`` of shape (P,) minus its projection onto the rows."""
        for _ in range(2):  # "twice is enough": Parlett, section 6.9
            for rows in self._pieces(self._count):
                vector = vector - rows.T @ (rows @ vector)
        return vector

    def combine(self, coefficients: Tensor) -> Tensor:
        """Linear combinations of the first m rows by ``coefficients`` (m, K), of shape (P, K)."""
        combined = torch.zeros(
            self._rows.shape[1], coefficients.shape[1], dtype=self._rows.dtype, device=self._device
        )
        coefficients = coefficients.to(combined)
        start = 0
        for rows in self._pieces(len(coefficients)):
            combined += rows.T @ coefficients[start : start + len(rows)]
            start += len(rows)
        return combined

    def replace(self, vectors: Tensor) -> None:
        """Make the columns of ``vectors`` (P, K) the only rows."""
        self._count = vectors.shape[1]
        self._rows[: self._count] = vectors.T

    def _pieces(self, count: int) -> list[Tensor]:
        rows = self._rows[:count]
        if self._storage == self._device:
            return [rows]
        count = max(1, PIECE_BYTES // (rows.shape[1] * rows.element_size()))
        return [piece.to(self._device) for piece in rows.split(count)]


def basis_bytes(size: int, rows: int, dtype: torch.dtype) -> int:
    """The memory of a basis of ``rows`` vectors of length ``size``."""
    return size * rows * torch.empty((), dtype=dtype).element_size()


def affordable_rows(size: int, dtype: torch.dtype, device: torch.device) -> int:
    """How many vectors of length ``size`` fit into the memory of the GPU or of the host."""
    free = free_memory(torch.device("cpu"))
    if device.type == "cuda":
        free = max(free, free_memory(device))
    return max(2, math.floor(SHARE_OF_MEMORY * free / basis_bytes(size, 1, dtype)))


def _storage(like: Tensor, limit: int, size: int) -> torch.device:
    needed = basis_bytes(size, limit, like.dtype)
    fits = needed <= SHARE_OF_MEMORY * free_memory(like.device)
    return like.device if fits or like.device.type == "cpu" else torch.device("cpu")
