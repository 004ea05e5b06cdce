"""SHA-256 of tensors, by which two runs know whether they saw the same."""

import hashlib
from collections.abc import Iterable, Sequence

from torch import Tensor

from landscape.data.batches import Batch, tensors_of


def hash_tensors(tensors: Iterable[Tensor]) -> str:
    """The hash of values, types and shapes, in order."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(_kind(tensor))
        digest.update(_content(tensor))
    return digest.hexdigest()


def hash_batches(batches: Sequence[Batch]) -> str:
    """The hash of the samples; how they are batched is no matter."""
    digest = hashlib.sha256()
    for part in ("inputs", "targets"):
        for k, batch in enumerate(batches):
            for tensor in tensors_of(getattr(batch, part)):
                if k == 0:
                    digest.update(_kind(tensor[0]))
                digest.update(_content(tensor))
    return digest.hexdigest()


def _kind(tensor: Tensor) -> bytes:
    return f"{tensor.dtype}{tuple(tensor.shape)}".encode()


def _content(tensor: Tensor) -> bytes:
    return tensor.cpu().contiguous().numpy().tobytes()
