"""Which device, which precision."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from landscape.errors import InputError
from landscape.runtime import choices

DTYPES = {"fp64": torch.float64, "fp32": torch.float32}
# The type of the weights by precision.
PRECISIONS = {name: DTYPES.get(name, torch.float32) for name in choices.PRECISIONS}


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """``auto`` is the first CUDA device where there is one, else the CPU.

    Of several processes that torchrun started on a machine each takes the device of its own rank.
    Raises InputError for a device that this machine or this torch does not have.
    """
    if isinstance(name, torch.device):
        return name
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        name = f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"--device {name} is not usable here; pass auto, cpu, cuda or cuda:N "
            f"(CUDA devices found: {torch.cuda.device_count()})"
        ) from error
    return device


def describe_device(device: torch.device) -> str:
    """The device in words; a GPU by its name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated there; an eighth of all memory where the system won't tell.

    Of a processor it is what is available without swapping.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether it says that memory could not be had; on the CPU there is no type for that."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@contextmanager
def full_precision() -> Iterator[None]:
    """Products and convolutions in the precision of their operands: no TF32 on CUDA."""
    with _tf32(allowed=False):
        yield


@contextmanager
def tf32_allowed() -> Iterator[None]:
    """Products and convolutions of float32 with TF32's 10-bit mantissa, on CUDA devices."""
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
