import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh

from landscape.curvature.operators import HessianOperator, rademacher_vectors, random_vector
from landscape.errors import InputError
from landscape.gradient_graph import GradientGraph
from landscape.objective import Objective
from tests.landscape.curvature.planted import by_magnitude, diagonal, generator
from tests.oracles.cases import BY_NAME, CASES
from tests.oracles.dense import dense_hessian

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def operator_of(case, dtype=torch.float64, batch_size=3):
    model = case.model().to(dtype)
    return HessianOperator(
        Objective(model, case.data, case.loss, batch_size=batch_size, device="cpu", dtype=dtype)
    )


@every_case
def test_products_are_those_of_the_dense_hessian(case):
    operator, dense = operator_of(case), case.hessian()
    assert operator.size == len(dense)
    vectors = torch.randn(operator.size, 3, dtype=torch.float64)
    scale = dense.abs().max().item()
    torch.testing.assert_close(operator.matmat(vectors), dense @ vectors, rtol=0, atol=1e-9 * scale)
    torch.testing.assert_close(
        operator.matvec(vectors[:, 0]), dense @ vectors[:, 0], rtol=0, atol=1e-9 * scale
    )


def test_the_hessian_elsewhere():
    case = BY_NAME["mlp with tied weights"]
    model = case.model()
    objective = Objective(model, case.data, case.loss, device="cpu", dtype=torch.float64)
    theta = objective.theta + 0.3 * torch.randn_like(objective.theta)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), objective.layout.views(theta), strict=True):
            parameter.copy_(value)
    dense = dense_hessian(model, *case.data, case.loss)
    identity = torch.eye(len(dense), dtype=torch.float64)
    there = HessianOperator(objective, theta).matmat(identity)
    torch.testing.assert_close(there, dense, rtol=0, atol=1e-10)
    here = HessianOperator(objective).matmat(identity)
    torch.testing.assert_close(here, case.hessian(), rtol=0, atol=1e-10)


def test_products_are_counted(monkeypatch):
    operator = operator_of(BY_NAME["mlp with frozen parameters"])
    counted = []
    products = GradientGraph.products

    def count(graph, columns, *rest, **options):
        counted.append(columns.shape[1])
        return products(graph, columns, *rest, **options)

    monkeypatch.setattr(GradientGraph, "products", count)
    assert operator.products == 0
    operator.matvec(torch.randn(operator.size))
    assert operator.products == 1
    operator.matmat(torch.randn(operator.size, 4))
    assert operator.products == 5
    operator.to_scipy() @ np.ones(operator.size)
    assert operator.products == 6
    operator.to_scipy() @ np.ones((operator.size, 2))
    assert operator.products == 8
    operator.exact_matmat(torch.randn(operator.size, 3, dtype=torch.float64))
    assert operator.products == 11
    assert sum(counted) == 11 * len(operator.objective.batches)


# --------------------------------------------------------------------------------------- SciPy


@every_case
def test_arpack_finds_the_same(case):
    operator = operator_of(case, batch_size=7)
    count = min(5, operator.size - 2)
    found = eigsh(operator.to_scipy(), count, which="LM", return_eigenvectors=False)
    expected = by_magnitude(np.linalg.eigvalsh(case.hessian()))[:count]
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scipy_gets_arrays_of_the_operators_precision(dtype):
    case = BY_NAME["mlp with tied weights"]
    operator = operator_of(case, dtype)
    exported, dense = operator.to_scipy(), case.hessian().numpy()
    assert exported.shape == dense.shape
    assert exported.dtype == {torch.float32: np.float32, torch.float64: np.float64}[dtype]
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    columns = np.random.default_rng(0).standard_normal((operator.size, 4))
    for vectors in (
        columns,
        columns[:, 0],
        columns[:, :1],
        columns[:, ::2],
        np.asfortranarray(columns),
        columns.astype(np.float32),
    ):
        product = exported @ vectors
        assert product.shape == vectors.shape
        assert product.dtype == exported.dtype
        np.testing.assert_allclose(product, dense @ vectors, rtol=0, atol=10 * tolerance)
    adjoint = exported.H @ columns[:, 0]
    np.testing.assert_allclose(adjoint, dense @ columns[:, 0], rtol=0, atol=10 * tolerance)


def test_scipy_may_give_arrays_that_are_read_only():
    operator = operator_of(BY_NAME["linear regression"])
    vector = np.ones(operator.size)
    vector.flags.writeable = False
    expected = BY_NAME["linear regression"].hessian().sum(1)
    np.testing.assert_allclose(operator.to_scipy() @ vector, expected, atol=1e-12)


# --------------------------------------------------------------------------- random vectors


def test_random_vectors_are_of_unit_norm_and_from_their_generator():
    state = torch.get_rng_state()
    single, double = diagonal([1.0] * 500, torch.float32), diagonal([1.0] * 500)
    one, again = random_vector(double, generator(3)), random_vector(double, generator(3))
    assert torch.equal(one, again)
    assert one.dtype == torch.float64
    assert one.norm().item() == pytest.approx(1, rel=1e-12)
    assert not torch.equal(one, random_vector(double, generator(4)))
    low = random_vector(single, generator(3))
    assert low.dtype == torch.float32
    torch.testing.assert_close(low.double(), one, rtol=1e-5, atol=1e-7)
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


# ------------------------------------------------------------------------------------------ groups


@every_case
@pytest.mark.parametrize("batch_size", [3, 7])
def test_blocks_are_those_of_the_dense_hessian(case, batch_size):
    operator, dense = operator_of(case, batch_size=batch_size), case.hessian()
    layout = operator.objective.layout
    ends = np.cumsum([shape.numel() for shape in layout.shapes])
    rows = [np.arange(end - s.numel(), end) for end, s in zip(ends, layout.shapes, strict=True)]
    last = len(rows) - 1
    for group in ([0], [last], sorted({0, last}), list(range(0, last + 1, 2)), range(last + 1)):
        index = torch.from_numpy(np.concatenate([rows[number] for number in group]))
        block = dense[index][:, index]
        restricted = operator.block(group)
        assert restricted.size == len(block)
        identity = torch.eye(len(block), dtype=torch.float64)
        for product in (restricted.matmat, restricted.exact_matmat):
            found = product(identity)
            torch.testing.assert_close(found, block, rtol=0, atol=1e-10 * dense.abs().max().item())


def test_blocks_share_the_graphs():
    operator = operator_of(BY_NAME["vit"])
    operator.matvec(torch.ones(operator.size, dtype=torch.float64))
    block = operator.block([0, 1])
    assert block._multiply is operator._multiply
    block.matmat(torch.ones(block.size, 4, dtype=torch.float64))
    assert (block.products, operator.products) == (4, 1)


def test_vectors_have_the_size_of_the_block():
    objective = operator_of(BY_NAME["vit"]).objective
    with pytest.raises(InputError, match="expected vectors of shape"):
        objective.hessian_product(objective.theta, group=[0])
