"""Which device, which precision."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from landscape.errors import InputError

PRECISIONS = {"fp32": torch.float32, "fp64": torch.float64}


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """``auto`` is the first CUDA device where there is one, else the CPU.

    Raises InputError for a device that this machine or this torch does not have.
    """
    if isinstance(name, torch.device):
        return name
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
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


@contextmanager
def full_precision() -> Iterator[None]:
    """Products and convolutions in the precision of their operands: no TF32 on CUDA."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    convolution = torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul
        torch.backends.cudnn.allow_tf32 = convolution
