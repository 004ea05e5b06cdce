"""Where the memory of a card runs out, products go on with less."""

import pytest
import torch
from torch import nn

from landscape.curvature.products import LocalProducts, ProductRequest
from landscape.objective.objective import Objective
from landscape.runtime.devices import free_memory

pytestmark = pytest.mark.cuda

WIDTH, SAMPLES = 1 << 16, 2048
CAP = 1 << 30  # a layer's activations of all samples take half of it, and a product takes several


@pytest.fixture
def capped():
    """An allocator that hands out a gigabyte more than is in use."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + CAP) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def wide_objective(batch_size):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 10))
    data = torch.randn(SAMPLES, 16), torch.randint(10, (SAMPLES,))
    return Objective(model, data, batch_size=batch_size, device="cuda", verify=False)


def test_a_product_goes_on_with_smaller_batches(capped, caplog):
    caplog.set_level("INFO")
    expected_of = wide_objective(64)
    vector = torch.randn(expected_of.num_parameters, 1, device="cuda")
    expected = expected_of.hessian_product(vector)
    del expected_of
    (product,) = LocalProducts(wide_objective(SAMPLES))([ProductRequest(vector)])
    assert "out of memory: continuing with batches of" in caplog.text
    error = torch.linalg.vector_norm(product - expected)
    assert error <= 1e-4 * torch.linalg.vector_norm(expected)


def test_what_the_allocator_keeps_is_free():
    torch.cuda.empty_cache()
    before = free_memory(torch.device("cuda"))
    block = torch.empty(CAP, dtype=torch.uint8, device="cuda")
    assert free_memory(torch.device("cuda")) <= before - CAP
    del block  # the allocator of torch keeps it for the next tensor
    assert torch.cuda.memory_reserved() >= CAP
    assert free_memory(torch.device("cuda")) >= before - CAP // 8
