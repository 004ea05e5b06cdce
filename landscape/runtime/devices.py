"""Which device to compute on, and in which precision."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from landscape.errors import InputError
from landscape.runtime import choices
from landscape.runtime.machine.memory import available_memory

DTYPES = {"fp64": torch.float64, "fp32": torch.float32}
# The type of the weights by precision.
PRECISIONS = {name: DTYPES.get(name, torch.float32) for name in choices.PRECISIONS}

_OUT_OF_MEMORY = (
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """The device of that name.

    Args:
        name: ``auto`` (the first CUDA device if there is one, else the CPU), ``cpu``, ``cuda`` or
            ``cuda:N``. With ``cuda`` each of the processes that torchrun started on a machine
            takes the device of its local rank.

    Returns:
        The device; one of CUDA has its index, as tensors on it have.

    Raises:
        InputError: This machine, or this torch, does not have the device.
    """
    if isinstance(name, torch.device) and name.type != "meta":
        return name
    name = str(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        name = f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
    try:
        device = torch.empty(0, device=torch.device(name)).device
        if device.type == "meta":
            raise RuntimeError("the tensors of this device have no values")
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"--device {name} is not usable here; pass auto, cpu, cuda or cuda:N "
            f"(CUDA devices found: {torch.cuda.device_count()})"
        ) from error
    return device


def describe_device(device: torch.device) -> str:
    """The product name of a GPU, or ``cpu``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def free_memory(device: torch.device) -> int:
    """The number of bytes that can still be allocated on ``device``.

    On a GPU what torch's allocator keeps without using it is free, too.
    """
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    return available_memory()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the error is a failed allocation.

    On the CPU, and where CUDA or a library of it allocates by itself, only its message tells.
    """
    return isinstance(error, torch.OutOfMemoryError) or any(
        message in str(error) for message in _OUT_OF_MEMORY
    )


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute matrix products and convolutions in the precision of their operands, without TF32."""
    with _tf32(allowed=False):
        yield


@contextmanager
def tf32_allowed() -> Iterator[None]:
    """Allow TF32's 10-bit mantissa in float32 products and convolutions on CUDA devices."""
    with _tf32(allowed=True):
        yield


@contextmanager
def _tf32(*, allowed: bool) -> Iterator[None]:
    matmul = torch.backends.cuda.matmul.allow_tf32
    convolution = torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul
        torch.backends.cudnn.allow_tf32 = convolution
