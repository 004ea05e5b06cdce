import gc
import weakref
from contextlib import suppress

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.pyhessian_check import pyhessian_eigenpairs
from landscape.errors import InputError
from landscape.objective.objective import Objective
from tests.landscape.eigen.planted import by_magnitude, generator
from tests.oracles.cases import BY_NAME
from tests.profile import repeats, some


def operator_of(name, dtype=torch.float64, batch_size=7):
    case = BY_NAME[name]
    model = case.model().to(dtype)
    return CurvatureOperator(
        Objective(model, case.data, case.loss, batch_size=batch_size, device="cpu", dtype=dtype)
    )


CASES = [
    ("vit", 7, 1),
    ("resnet with batch norm", 7, 1),
    ("mlp with frozen parameters", 3, 3),
    ("mlp with tied weights", 7, 3),
    ("mlp with tied weights", 3, 3),
    ("linear regression", 3, 4),
]


@pytest.mark.parametrize(("name", "batch_size", "count"), some(CASES, 3))
def test_it_agrees_with_the_dense_hessian_within_its_residuals(name, batch_size, count):
    operator = operator_of(name, batch_size=batch_size)
    pairs = pyhessian_eigenpairs(operator, count, generator())
    assert pairs.method == "pyhessian"
    dense = BY_NAME[name].hessian()
    expected = by_magnitude(np.linalg.eigvalsh(dense))[:count]
    error = np.abs(pairs.eigenvalues.numpy() - expected)
    assert (error <= pairs.residuals.numpy() * np.abs(expected) + 1e-12).all()
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=1e-5)
    products = dense @ pairs.vectors - pairs.vectors * pairs.eigenvalues
    true = torch.linalg.vector_norm(products, dim=0) / pairs.eigenvalues.abs()
    np.testing.assert_allclose(pairs.residuals, true, rtol=1e-6)
    assert operator.products == count  # the certificates; pyhessian's own are not counted


def test_single_precision():
    operator = operator_of("mlp with tied weights", torch.float32)
    pairs = pyhessian_eigenpairs(operator, 2, generator())
    expected = by_magnitude(np.linalg.eigvalsh(BY_NAME["mlp with tied weights"].hessian()))[:2]
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_default_options_converge_where_the_eigenvalue_is_separated(dtype):
    pairs = pyhessian_eigenpairs(operator_of("linear regression", dtype), 1, generator())
    assert pairs.converged.all()


def test_the_global_state_is_left_alone():
    operator = operator_of("linear regression", batch_size=3)
    theta = operator.objective.theta.clone()
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first = pyhessian_eigenpairs(operator, 2, generator(1), max_steps=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(operator.objective.theta, theta)
    assert all(p.grad is None for p in operator.objective.module.parameters())
    torch.manual_seed(8)  # and it depends on its own generator alone
    again = pyhessian_eigenpairs(operator, 2, generator(1), max_steps=3)
    assert torch.equal(first.eigenvalues, again.eigenvalues)
    reseeded = pyhessian_eigenpairs(operator, 2, generator(2), max_steps=3)
    assert not torch.equal(first.eigenvalues, reseeded.eigenvalues)


@pytest.mark.parametrize("batch_size", [3, 7][: repeats(1, 2)])
def test_unused_parameters_are_refused_and_the_state_put_back(batch_size):
    operator = operator_of("mlp with an unused layer", batch_size=batch_size)
    state = torch.get_rng_state()
    with pytest.raises(InputError, match="use --method lanczos"):
        pyhessian_eigenpairs(operator, 2, generator())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == torch.float32


def test_inputs_that_are_not_one_tensor_are_refused():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, a, b):
            return self.linear(a + b)

    data = [((torch.randn(4, 3), torch.randn(4, 3)), torch.randint(2, (4,)))]
    operator = CurvatureOperator(Objective(Sum(), data, device="cpu"))
    with pytest.raises(InputError, match="inputs that are one tensor; use lanczos"):
        pyhessian_eigenpairs(operator, 1, generator())


@pytest.mark.parametrize("batch_size", [3, 7][: repeats(1, 2)])
@pytest.mark.parametrize("name", ["linear regression", "mlp with an unused layer"])
def test_its_copy_of_the_network_does_not_stay_in_memory(name, batch_size, monkeypatch):
    import pyhessian

    copies = []
    original = pyhessian.hessian

    def remember(module, *words, **options):
        copies.append(weakref.ref(next(module.parameters())))
        return original(module, *words, **options)

    monkeypatch.setattr(pyhessian, "hessian", remember)
    operator = operator_of(name, batch_size=batch_size)
    with suppress(InputError):  # of the unused layer
        pyhessian_eigenpairs(operator, 1, generator())
    gc.collect()
    assert len(copies) == 1
    assert copies[0]() is None
