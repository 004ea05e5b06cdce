"""Certificates of float32 objectives bound the residual with respect to the float64 Hessian."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.functional import hessian
from torch.func import functional_call

from analyses import hessian as hessian_analysis
from landscape.curvature.blocks import block_eigenvalues
from landscape.curvature.operators import CurvatureOperator, Preconditioned
from landscape.curvature.products import LocalProducts
from landscape.curvature.recording import RecordedProducts
from landscape.curvature.requests import ProductRequest
from landscape.eigen.eigenpairs import certificate
from landscape.eigen.lanczos import lanczos
from landscape.eigen.power_iteration import power_iteration
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group
from tests.landscape.eigen.planted import generator


class Rounded(nn.Module):
    """Computes in float32 whatever its input is, like norms and softmaxes of some libraries."""

    def forward(self, x):
        return torch.tanh(x.float()).to(x.dtype)


class RoundedWithin(torch.autograd.Function):
    """An operation of one's own that is rounded inside, where no result shows it."""

    @staticmethod
    def forward(ctx, x):
        return (1 * x.float()).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad


class OwnOperation(nn.Module):
    def forward(self, x):
        return RoundedWithin.apply(torch.tanh(x))


class OwnConstant(nn.Module):
    """Has a constant that no conversion of the module reaches."""

    def __init__(self):
        super().__init__()
        self.constants = [torch.eye(6)]

    def forward(self, x):
        return torch.tanh(x @ self.constants[0])


def sure_network(middle=None, margin=1.0):
    """A small classifier and the samples whose label leads the other logits by ``margin``."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), middle or nn.Tanh(), nn.Linear(6, 3))
    inputs = torch.randn(40, 4)
    with torch.no_grad():
        first, second = model(inputs).topk(2).values.T
        smallest = (first - second).median()
        inputs = inputs[first - second >= smallest]
        for parameter in model[2].parameters():
            parameter *= margin / smallest
        return model, (inputs, model(inputs).argmax(1))


def dense_hessian(model, data):
    """That of the float64 function, by torch itself."""
    names = [name for name, _ in model.named_parameters()]
    shapes = [parameter.shape for parameter in model.parameters()]
    theta = torch.cat([parameter.detach().double().reshape(-1) for parameter in model.parameters()])
    inputs, labels = data

    def loss(flat):
        pieces = flat.split([shape.numel() for shape in shapes])
        weights = {n: p.view(s) for n, p, s in zip(names, pieces, shapes, strict=True)}
        return F.cross_entropy(functional_call(model, weights, (inputs.double(),)), labels)

    return hessian(loss, theta)


def check_close(product, expected):
    """As close as float64 is, where six digits of it cancel."""
    assert product.dtype == torch.float64
    torch.testing.assert_close(product, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))


def true_residuals(matrix, pairs):
    vectors = pairs.vectors.double()
    vectors = vectors / vectors.norm(dim=0)
    errors = (matrix @ vectors - vectors * pairs.eigenvalues).norm(dim=0)
    return errors / pairs.eigenvalues.abs()


SURE = 10.0


@pytest.mark.parametrize("method", [lanczos, power_iteration])
def test_residuals_bound_the_true_ones_of_a_network_that_is_sure(method):
    model, data = sure_network(margin=SURE)
    objective = Objective(model, data, device="cpu", batch_size=7)
    assert objective.loss() < 1e-4
    matrix = dense_hessian(model, data)
    pairs = method(CurvatureOperator(objective), 3, generator(), max_steps=60)
    true = true_residuals(matrix, pairs)
    assert (pairs.residuals >= true * (1 - 1e-6)).all()
    assert pairs.precision == torch.float64
    # In float32 the same pairs would show residuals that are too small.
    rounded = LocalProducts(objective, in_float64=False)
    (product,) = rounded([ProductRequest(pairs.vectors)], exact=True)
    shown = certificate(pairs.vectors, product, 1e-4, "", 0).residuals
    assert (shown < 0.9 * true).any()


def test_exact_products_are_those_of_the_float64_hessian_of_any_block():
    model, data = sure_network(margin=SURE)
    objective = Objective(model, data, device="cpu", batch_size=7)
    before = objective.theta.clone(), [p.clone() for p in objective.module.parameters()]
    matrix = dense_hessian(model, data)
    operator = CurvatureOperator(objective)
    vectors = torch.randn(operator.size, 2)
    product = operator.exact_matmat(vectors)
    check_close(product, matrix @ vectors.double())
    group = Group.of([(3, 20)])
    product = operator.block(group).exact_matmat(vectors[3:20])
    expected = matrix[3:20, 3:20] @ vectors[3:20].double()
    check_close(product, expected)
    scales = torch.rand(operator.size) + 0.5
    product = Preconditioned(operator, scales).exact_matmat(vectors)
    scales = scales.rsqrt().double()[:, None]
    expected = scales * (matrix @ (scales * vectors.double()))
    check_close(product, expected)
    assert torch.equal(objective.theta, before[0])
    assert all(map(torch.equal, objective.module.parameters(), before[1]))
    assert operator.matmat(vectors).dtype == torch.float32


def test_at_other_weights_and_by_samples_that_count_for_nothing():
    model, (inputs, labels) = sure_network(margin=SURE)
    loss = nn.CrossEntropyLoss(weight=torch.tensor([0.0, 1.0, 2.0]))
    objective = Objective(model, (inputs, labels), loss, device="cpu", batch_size=4)
    double = Objective(
        model, (inputs, labels), loss, device="cpu", batch_size=4, dtype=torch.float64
    )
    theta = objective.theta * 0.5
    vectors = torch.randn(objective.num_parameters, 2)
    product = CurvatureOperator(objective, theta).exact_matmat(vectors)
    expected = double.hessian_product(vectors.double(), theta.double())
    check_close(product, expected)


@pytest.mark.parametrize("middle", [Rounded, OwnOperation, OwnConstant])
def test_a_model_that_takes_no_float64_is_certified_in_float32_and_says_so(middle):
    model, data = sure_network(middle())
    objective = Objective(model, data, device="cpu", verify=False)
    operator = CurvatureOperator(objective)
    pairs = lanczos(operator, 2, generator())
    assert pairs.precision == torch.float32
    product = operator.exact_matmat(pairs.vectors)
    torch.testing.assert_close(product, objective.hessian_product(pairs.vectors))
    settings = hessian_analysis.Settings(top=2, quick=True)
    assert hessian_analysis.compute(objective, settings).residual_bits == 32
    ordinary = Objective(*sure_network(), device="cpu")
    assert hessian_analysis.compute(ordinary, settings).residual_bits == 64


def test_components_are_certified_in_float64():
    model, data = sure_network(margin=SURE)
    operator = CurvatureOperator(Objective(model, data, device="cpu"))
    matrix = dense_hessian(model, data)
    groups = {"first": Group.of([(0, 30)]), "second": Group.of([(30, 51)])}
    for name, pairs in block_eigenvalues(operator, groups, generator()).items():
        ((start, stop),) = groups[name].stretches
        true = true_residuals(matrix[start:stop, start:stop], pairs)
        assert (pairs.residuals >= true * (1 - 1e-6)).all()
        assert pairs.precision == torch.float64


def test_recorded_products_keep_their_precision(tmp_path):
    objective = Objective(*sure_network(), device="cpu")
    requests = [ProductRequest(torch.randn(objective.num_parameters, 2)) for _ in range(2)]
    recorded = [
        RecordedProducts(LocalProducts(objective), tmp_path / "journal", {"question": 1})
        for _ in range(2)
    ]
    for exact, dtype in ((True, torch.float64), (False, torch.float32)):
        first = recorded[0](requests, exact=exact)
        assert {product.dtype for product in first} == {dtype}
    recorded[0].close()
    again = RecordedProducts(LocalProducts(objective), tmp_path / "journal", {"question": 1})
    assert again.num_recorded == 2
    assert all(map(torch.equal, again(requests, exact=False), first))
    assert again(requests, exact=True)[0].dtype == torch.float64
