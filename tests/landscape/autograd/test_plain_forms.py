"""Held to torch's values and first derivatives, and to finite differences of these."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from landscape.autograd.plain_forms import PlainForms
from landscape.curvature.operators import CurvatureOperator
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective

INDICES = torch.tensor([2, 0, 2, 1, 4, 4])
OFFSETS = torch.tensor([0, 2, 2, 5])  # the second bag is empty


def weights(*shape):
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def bags(mode, **options):
    return lambda table: F.embedding_bag(INDICES, table, OFFSETS, mode=mode, **options)


CASES = {
    "weight norm of rows": (lambda v, g: torch._weight_norm(v, g, 0), (4, 3), (4, 1)),
    "weight norm of columns": (lambda v, g: torch._weight_norm(v, g, 1), (4, 3), (1, 3)),
    "weight norm of all": (lambda v, g: torch._weight_norm(v, g, -1), (4, 3), ()),
    "weight norm of filters": (
        lambda v, g: torch._weight_norm(v, g, 0),
        (2, 3, 2, 2),
        (2, 1, 1, 1),
    ),
    "hard sigmoid": (lambda x: F.hardsigmoid(4 * x) ** 2, (3, 7)),
    "bags, sum": (bags("sum"), (5, 3)),
    "bags, mean": (bags("mean"), (5, 3)),
    "bags, mean without padding": (bags("mean", padding_idx=2), (5, 3)),
    "bags by last offsets": (
        lambda table: F.embedding_bag(
            INDICES, table, torch.tensor([0, 2, 6]), mode="sum", include_last_offset=True
        ),
        (5, 3),
    ),
    "weighted bags": (
        lambda table, each: F.embedding_bag(
            INDICES.reshape(2, 3), table, mode="sum", per_sample_weights=each
        ),
        (5, 3),
        (2, 3),
    ),
    "bags of rows": (lambda table: F.embedding_bag(INDICES.reshape(3, 2), table), (5, 3)),
    "distances": (lambda a, b: torch.cdist(a, b), (3, 4), (5, 4)),
    "distances, p=3": (lambda a, b: torch.cdist(a, b, p=3.0), (2, 3, 4), (2, 5, 4)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_plain_form(name):
    operation, *shapes = CASES[name]
    inputs = [weights(*shape) for shape in shapes]

    def plain(*tensors):
        with PlainForms():
            return operation(*tensors)

    torch.testing.assert_close(plain(*inputs), operation(*inputs), rtol=1e-13, atol=1e-13)
    seed = torch.randn_like(operation(*inputs))
    torch.testing.assert_close(
        torch.autograd.grad(plain(*inputs), inputs, seed),
        torch.autograd.grad(operation(*inputs), inputs, seed),
        rtol=1e-7,  # torch's hard sigmoid has a slope of 1/6 rounded to float32
        atol=1e-12,
    )
    assert gradcheck(plain, inputs)
    assert gradgradcheck(lambda *tensors: plain(*tensors) ** 2, inputs)


def test_the_largest_of_a_bag_stays_torchs():
    table = weights(5, 3)
    with PlainForms():
        largest = bags("max")(table)
    assert torch.equal(largest, bags("max")(table))


def normed():
    return nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), nn.Tanh(), nn.Linear(4, 3)
    )


def normed_by_hook():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        first = nn.utils.weight_norm(nn.Linear(5, 4))
    return nn.Sequential(first, nn.Tanh(), nn.Linear(4, 3))


def hard():
    return nn.Sequential(nn.Linear(5, 4), nn.Hardsigmoid(), nn.Linear(4, 3))


@pytest.mark.parametrize("make", [normed, normed_by_hook, hard])
def test_the_hessian_is_the_derivative_of_the_gradient(make):
    inputs = torch.randn(7, 5, dtype=torch.float64)
    objective = Objective(
        make().double(), (inputs, torch.randint(0, 3, (7,))), dtype=torch.float64, device="cpu"
    )
    eye = torch.eye(objective.num_parameters, dtype=torch.float64)
    hessian = objective.hessian_product(eye)
    step = 1e-5
    differences = torch.stack(
        [
            objective.gradient(objective.theta + step * row)
            - objective.gradient(objective.theta - step * row)
            for row in eye
        ]
    ) / (2 * step)
    torch.testing.assert_close(hessian, differences, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(hessian, hessian.T, rtol=1e-10, atol=1e-12)


class Cubed(torch.autograd.Function):
    """Differentiable once."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, seed):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * seed


class Power(nn.Linear):
    def forward(self, x):
        return Cubed.apply(super().forward(x))


def largest_of_bags():
    return nn.Sequential(nn.EmbeddingBag(4, 3, mode="max"), nn.Linear(3, 3))


@pytest.mark.parametrize(
    ("make", "inputs", "reason"),
    [
        (lambda: Power(5, 3), torch.randn(7, 5), "once_differentiable"),
        (largest_of_bags, torch.arange(28).reshape(7, 4) % 4, "_embedding_bag_backward"),
    ],
)
def test_an_operation_without_a_second_derivative_is_named(make, inputs, reason):
    objective = Objective(make(), (inputs, torch.arange(7) % 3), device="cpu")
    vector = torch.ones(objective.num_parameters)
    assert objective.gradient().norm() > 0
    with pytest.raises(NotMeasurableError, match=rf"needs second derivatives.*{reason}") as refused:
        objective.hessian_product(vector)
    assert "\n" not in str(refused.value)
    with pytest.raises(NotMeasurableError, match="needs second derivatives"):
        CurvatureOperator(objective).matvec(vector)
