"""Where the memory of a card runs out, products go on with less."""

from contextlib import contextmanager

import pytest
import torch
from torch import nn

from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest
from landscape.objective.objective import Objective

pytestmark = pytest.mark.cuda

WIDTH, SAMPLES = 1 << 16, 2048
CAP = 1 << 30  # a layer's activations of all samples take half of it, and a product takes several


@contextmanager
def capped():
    """Within the context the allocator hands out a gigabyte more than is in use."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + CAP) / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def wide_objective(batch_size):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 10))
    data = torch.randn(SAMPLES, 16), torch.randint(10, (SAMPLES,))
    return Objective(model, data, batch_size=batch_size, device="cuda", verify=False)


def test_a_product_goes_on_with_smaller_batches(caplog):
    caplog.set_level("INFO")
    small, whole = wide_objective(64), wide_objective(SAMPLES)
    vector = torch.randn(small.num_parameters, 1, device="cuda")
    with capped():
        (product,) = LocalProducts(whole)([ProductRequest(vector)])
    assert "out of memory: continuing with batches of" in caplog.text
    expected = small.hessian_product(vector)
    error = torch.linalg.vector_norm(product - expected)
    assert error <= 1e-4 * torch.linalg.vector_norm(expected)
