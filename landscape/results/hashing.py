"""SHA-256 of tensors and batches, to tell whether two runs used the same ones."""

import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from landscape.data.batches import Batch
from landscape.data.structures import is_divisible, tensors_in


def hash_tensors(tensors: Iterable[Tensor]) -> str:
    """The hash of the values, types and shapes of tensors, in order."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(_kind(tensor))
        digest.update(_content(tensor))
    return digest.hexdigest()


def hash_batches(batches: Sequence[Batch]) -> str:
    """The hash of the samples, independent of batching."""
    digest = hashlib.sha256()
    for field in ("inputs", "targets"):
        for k, batch in enumerate(batches):
            for tensor in tensors_in(getattr(batch, field)):
                if k == 0:
                    digest.update(_kind(tensor[0] if is_divisible(tensor) else tensor))
                digest.update(_content(tensor))
    return digest.hexdigest()


def _kind(tensor: Tensor) -> bytes:
    return f"{tensor.dtype}{tuple(tensor.shape)}".encode()


def _content(tensor: Tensor) -> bytes:
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    tensor = tensor.detach().cpu().resolve_conj().contiguous()
    # As bytes, because numpy does not have every type: bfloat16, for one.
    return tensor.flatten().view(torch.uint8).numpy().tobytes()
