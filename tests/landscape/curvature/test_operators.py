import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import eigsh
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.autograd.gradient_graph import GradientGraph
from landscape.curvature.operators import CurvatureOperator, Preconditioned
from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import rademacher_vectors, random_vector
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group, tensors_group
from tests.landscape.eigen.planted import by_magnitude, diagonal, generator
from tests.oracles.cases import BY_NAME, CASES
from tests.oracles.dense import dense_hessian

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def operator_of(case, dtype=torch.float64, batch_size=3):
    model = case.model().to(dtype)
    return CurvatureOperator(
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
@pytest.mark.parametrize("batch_size", [3, 7])
def test_blocks_are_those_of_the_dense_hessian(case, batch_size):
    operator, dense = operator_of(case, batch_size=batch_size), case.hessian()
    limit = 1e-9 * dense.abs().max().item()
    asked, expected = [], []
    for group in some_groups(operator.objective.layout):
        rows = group.gather(torch.arange(len(dense)))
        block = dense[rows][:, rows]
        restricted = operator.block(group)
        assert restricted.size == len(block)
        vectors = torch.randn(len(block), 2, dtype=torch.float64)
        torch.testing.assert_close(restricted.matmat(vectors), block @ vectors, rtol=0, atol=limit)
        asked.append((restricted, vectors))
        expected.append(block @ vectors)
    for exact in (False, True):
        for found, one in zip(operator.block_products(asked, exact=exact), expected, strict=True):
            torch.testing.assert_close(found, one, rtol=0, atol=limit)


def test_blocks_share_graphs_and_counter():
    operator = operator_of(BY_NAME["vit"])
    operator.matvec(torch.ones(operator.size, dtype=torch.float64))
    block = operator.block(tensors_group(operator.objective.layout, [0, 1]))
    assert block.answer is operator.answer
    block.matmat(torch.ones(block.size, 4, dtype=torch.float64))
    assert (operator.counter.whole, operator.counter.blocks) == (1, 4)
    assert operator.products == block.products == 5


# ------------------------------------------------------------------------------- other matrices


def jacobian(function, parameters):
    """Of a vector-valued function, row by row, with respect to all parameters."""
    outputs = function()
    rows = [
        torch.cat(
            [
                g.reshape(-1)
                for g in torch.autograd.grad(
                    output, parameters, retain_graph=True, materialize_grads=True
                )
            ]
        )
        for output in outputs.reshape(-1)
    ]
    return outputs, torch.stack(rows)


CLASSIFIERS = ["vit", "mixer", "resnet with batch norm", "mlp with frozen parameters"]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_gauss_newton_matrix(name):
    case = BY_NAME[name]
    model, inputs = case.model().eval(), case.data[0]
    with sdpa_kernel(SDPBackend.MATH):
        outputs, rows = jacobian(
            lambda: model(inputs), [p for p in model.parameters() if p.requires_grad]
        )
    assert case.loss is F.cross_entropy
    chances = outputs.detach().softmax(1)
    dense = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for sample, p in zip(rows.view(*outputs.shape, -1), chances, strict=True):
        dense += sample.T @ (torch.diag(p) - torch.outer(p, p)) @ sample / len(inputs)
    objective = Objective(
        model, case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )
    check_matrix(CurvatureOperator(objective, matrix="ggn"), dense)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_empirical_fisher_matrix(name):
    case = BY_NAME[name]
    model, (inputs, targets) = case.model().eval(), case.data
    with sdpa_kernel(SDPBackend.MATH):
        _, rows = jacobian(
            lambda: F.cross_entropy(model(inputs), targets, reduction="none"),
            [p for p in model.parameters() if p.requires_grad],
        )
    objective = Objective(
        model, case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )
    check_matrix(CurvatureOperator(objective, matrix="fisher"), rows.T @ rows / len(inputs))


def check_matrix(operator, dense):
    scale = dense.abs().max().item()
    assert operator.size == len(dense)
    vectors = torch.randn(operator.size, 3, dtype=torch.float64)
    for product in (operator.matmat, operator.exact_matmat, operator.matmat):
        torch.testing.assert_close(product(vectors), dense @ vectors, rtol=0, atol=1e-9 * scale)
    rows = torch.arange(0, operator.size, max(1, operator.size // 40))
    block = operator.block(Group.of((int(row), int(row) + 1) for row in rows))
    expected = dense[rows][:, rows] @ vectors[rows]
    torch.testing.assert_close(block.matmat(vectors[rows]), expected, rtol=0, atol=1e-9 * scale)


def test_without_outputs_or_losses_of_single_samples_there_is_only_the_hessian():
    def spread(outputs, targets):
        return (outputs - outputs.mean()).square().mean()

    model, data = nn.Linear(3, 2), (torch.randn(5, 3), torch.randn(5, 2))
    objective = Objective(model, data, spread, device="cpu", verify=False)

    class Both(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            return out, out

    pair = Objective(Both(3, 2), data, lambda out, target: F.mse_loss(out[0], target), device="cpu")
    for one, matrix in ((pair, "ggn"),):
        with pytest.raises(NotMeasurableError, match="use the hessian"):
            CurvatureOperator(one, matrix=matrix).matvec(one.theta)
    assert CurvatureOperator(objective).matvec(objective.theta).shape == (8,)


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
    found = lanczos(conditioned, 4, generator())
    expected = np.linalg.eigvals((dense / preconditioner.unsqueeze(1)).numpy()).real
    np.testing.assert_allclose(found.eigenvalues, by_magnitude(expected)[:4], rtol=1e-6)
    vectors = found.vectors * preconditioner.rsqrt().unsqueeze(1)
    images = dense @ vectors / preconditioner.unsqueeze(1)
    np.testing.assert_allclose(images, vectors * found.eigenvalues, atol=1e-5)
