"""Products of curvature operators are those of the dense Hessian."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh

from landscape.autograd.gradient_graph import GradientGraph
from landscape.curvature.operators import CurvatureOperator, Preconditioned
from landscape.eigen.lanczos import lanczos
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group, tensors_group
from tests.landscape.curvature.operators import check_matrix, operator_of
from tests.landscape.eigen.planted import by_magnitude, generator
from tests.oracles.cases import BY_NAME, CASES
from tests.oracles.dense import dense_hessian
from tests.profile import IS_FULL, repeats

SOME_CASES = CASES if IS_FULL else CASES[::2]
every_case = pytest.mark.parametrize("case", SOME_CASES, ids=lambda case: case.name)


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
    there = CurvatureOperator(objective, theta).matmat(identity)
    torch.testing.assert_close(there, dense, rtol=0, atol=1e-10)
    here = CurvatureOperator(objective).matmat(identity)
    torch.testing.assert_close(here, case.hessian(), rtol=0, atol=1e-10)


def test_the_operator_is_written_as_a_matrix():
    case = BY_NAME["mlp with tied weights"]
    operator, dense = operator_of(case), case.hessian()
    assert operator.shape == dense.shape
    vectors = torch.randn(operator.size, 3, dtype=torch.float64)
    torch.testing.assert_close(operator @ vectors, dense @ vectors, rtol=0, atol=1e-10)
    torch.testing.assert_close(operator @ vectors[:, 0], dense @ vectors[:, 0], rtol=0, atol=1e-10)
    assert operator.products == 4
    group = Group.of([(0, 5)])
    block = operator.block(group)
    assert block.shape == (5, 5)
    torch.testing.assert_close(block @ vectors[:5], dense[:5, :5] @ vectors[:5], rtol=0, atol=1e-10)


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
    eigenvalues = eigsh(operator.to_scipy(), count, which="LM", return_eigenvectors=False)
    expected = by_magnitude(np.linalg.eigvalsh(case.hessian()))[:count]
    np.testing.assert_allclose(np.sort(eigenvalues), np.sort(expected), rtol=1e-8)


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


# ------------------------------------------------------------------------------------------ groups


def some_groups(layout):
    """Single tensors, several, rows of one, all of them."""
    last = len(layout.names) - 1
    start, stop = layout.stretches[0]
    return [
        tensors_group(layout, [0]),
        tensors_group(layout, {0, last}),
        tensors_group(layout, range(0, last + 1, 2)),
        Group.of([(start, (start + stop + 1) // 2)]),
        Group.of([(start + (stop - start) // 3, stop), layout.stretches[last]]),
        Group.of([(0, layout.size)]),
    ]


@every_case
@pytest.mark.parametrize("batch_size", [3, 7][: repeats(1, 2)])
def test_blocks_are_those_of_the_dense_hessian(case, batch_size):
    operator, dense = operator_of(case, batch_size=batch_size), case.hessian()
    limit = 1e-9 * dense.abs().max().item()
    factors, expected = [], []
    for group in some_groups(operator.objective.layout):
        rows = group.gather(torch.arange(len(dense)))
        block = dense[rows][:, rows]
        restricted = operator.block(group)
        assert restricted.size == len(block)
        vectors = torch.randn(len(block), 2, dtype=torch.float64)
        torch.testing.assert_close(restricted.matmat(vectors), block @ vectors, rtol=0, atol=limit)
        factors.append((restricted, vectors))
        expected.append(block @ vectors)
    for exact in (False, True):
        for product, truth in zip(
            operator.block_products(factors, exact=exact), expected, strict=True
        ):
            torch.testing.assert_close(product, truth, rtol=0, atol=limit)


def test_blocks_share_graphs_and_counter():
    operator = operator_of(BY_NAME["vit"])
    operator.matvec(torch.ones(operator.size, dtype=torch.float64))
    block = operator.block(tensors_group(operator.objective.layout, [0, 1]))
    assert block.answer is operator.answer
    block.matmat(torch.ones(block.size, 4, dtype=torch.float64))
    assert (operator.counter.whole, operator.counter.blocks) == (1, 4)
    assert operator.products == block.products == 5


# --------------------------------------------------------------------- an L2 term, preconditioning


@pytest.mark.parametrize("name", ["vit", "mlp with frozen parameters"])
def test_an_l2_term(name):
    case = BY_NAME[name]
    objective = operator_of(case).objective
    operator = CurvatureOperator(objective, shift=0.3)
    dense = case.hessian()
    dense = dense + 0.3 * torch.eye(len(dense), dtype=torch.float64)
    check_matrix(operator, dense)


def test_preconditioning_gives_the_eigenvalues_of_the_preconditioned_hessian():
    case = BY_NAME["mlp with tied weights"]
    operator, dense = operator_of(case), case.hessian()
    preconditioner = torch.rand(operator.size, dtype=torch.float64) + 0.1
    conditioned = Preconditioned(operator, preconditioner)
    pairs = lanczos(conditioned, 4, generator())
    expected = np.linalg.eigvals((dense / preconditioner.unsqueeze(1)).numpy()).real
    np.testing.assert_allclose(pairs.eigenvalues, by_magnitude(expected)[:4], rtol=1e-6)
    vectors = pairs.vectors * preconditioner.rsqrt().unsqueeze(1)
    images = dense @ vectors / preconditioner.unsqueeze(1)
    np.testing.assert_allclose(images, vectors * pairs.eigenvalues, atol=1e-5)
