"""Random vectors for operators."""

import numpy as np
import pytest
import torch

from landscape.eigen.operator import rademacher_vectors, random_vector
from tests.landscape.eigen.planted import diagonal, generator


def test_random_vectors_are_of_unit_norm_and_from_their_generator():
    state = torch.get_rng_state()
    single, double = diagonal([1.0] * 500, torch.float32), diagonal([1.0] * 500)
    vector, again = random_vector(double, generator(3)), random_vector(double, generator(3))
    assert torch.equal(vector, again)
    assert vector.dtype == torch.float64
    assert vector.norm().item() == pytest.approx(1, rel=1e-12)
    assert not torch.equal(vector, random_vector(double, generator(4)))
    low = random_vector(single, generator(3))
    assert low.dtype == torch.float32
    torch.testing.assert_close(low.double(), vector, rtol=1e-5, atol=1e-7)
    assert torch.equal(state, torch.get_rng_state())


def test_rademacher_vectors_are_fair_signs():
    operator = diagonal([1.0] * 1000)
    signs = rademacher_vectors(operator, 20, generator())
    assert signs.shape == (1000, 20)
    assert signs.dtype == torch.float64
    assert set(signs.unique().tolist()) == {-1, 1}
    assert abs(signs.mean().item()) < 4 / np.sqrt(signs.numel())
    gram = signs.T @ signs / 1000 - torch.eye(20)
    assert gram.abs().max() < 5 / np.sqrt(1000)
    assert torch.equal(signs, rademacher_vectors(operator, 20, generator()))
