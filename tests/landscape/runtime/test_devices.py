"""Devices: what memory is left, and what an error says of it."""

import pytest
import torch

from landscape.errors import InputError
from landscape.runtime.devices import free_memory, is_out_of_memory, resolve_device

GPU = torch.device("cuda", 0)


def test_what_the_allocator_of_a_gpu_keeps_unused_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 250)
    assert free_memory(GPU) == 100 + 700 - 250


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_an_error_that_is_for_want_of_memory(error, expected):
    assert is_out_of_memory(error) is expected


def test_a_device_that_is_not_here():
    assert resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="--device cuda:99 is not usable here"):
        resolve_device("cuda:99")


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["cuda", "auto"])
def test_a_device_of_cuda_has_the_index_that_its_tensors_have(name):
    assert resolve_device(name) == torch.empty(0, device="cuda").device
