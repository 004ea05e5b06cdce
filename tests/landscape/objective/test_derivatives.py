from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.landscape.objective.problems import Objective32, Objective64, close, every_case, vectors
from tests.oracles.cases import BY_NAME, NUM_SAMPLES, randomise
from tests.oracles.dense import dense_gradient, dense_hessian, dense_theta
from tests.profile import repeats


@every_case
def test_theta_is_the_trainable_parameters_in_order(case):
    model = case.model()
    objective = Objective64(model, case.data, case.loss)
    assert torch.equal(objective.theta, dense_theta(model))
    assert objective.num_parameters == len(objective.theta) < 1500
    assert objective.num_samples == NUM_SAMPLES


@every_case
@pytest.mark.parametrize("batch_size", [1, 3, NUM_SAMPLES])
def test_gradient_is_the_dense_one(case, batch_size):
    objective = Objective64(case.model(), case.data, case.loss, batch_size=batch_size)
    gradient = objective.gradient()
    assert gradient.shape == (objective.num_parameters,)
    assert gradient.dtype == torch.float64
    close(gradient, case.gradient(), 1e-10)


@every_case
@pytest.mark.parametrize("batch_size", [3, NUM_SAMPLES])
def test_hessian_product_is_the_dense_one(case, batch_size):
    objective = Objective64(case.model(), case.data, case.loss, batch_size=batch_size)
    several = torch.randn(objective.num_parameters, 3, dtype=torch.float64)
    products = objective.hessian_product(several)
    assert products.shape == several.shape
    close(products, case.hessian() @ several, 1e-10)

    vector = several[:, 1]
    product = objective.hessian_product(vector)
    assert product.shape == vector.shape
    close(product, case.hessian() @ vector, 1e-10)


@pytest.mark.parametrize("name", ["mlp with frozen parameters", "linear regression"])
def test_hessian_from_products_is_the_dense_one_entry_by_entry(name):
    case = BY_NAME[name]
    objective = Objective64(case.model(), case.data, case.loss, batch_size=2)
    identity = torch.eye(objective.num_parameters, dtype=torch.float64)
    close(objective.hessian_product(identity), case.hessian(), 1e-10)


def test_unused_parameters_have_zero_derivatives():
    case = BY_NAME["mlp with an unused layer"]
    objective = Objective64(case.model(), case.data, case.loss)
    idle = torch.cat(
        [
            torch.full((shape.numel(),), name.startswith("idle"))
            for name, shape in zip(objective.layout.names, objective.layout.shapes, strict=True)
        ]
    )
    assert idle.sum() == 15
    gradient = objective.gradient()
    product = objective.hessian_product(torch.ones_like(objective.theta))
    assert not gradient[idle].any()
    assert not product[idle].any()
    assert gradient[~idle].all()
    assert product[~idle].all()


@every_case
def test_derivatives_at_another_theta(case):
    """The derivatives at theta are those of a model that has theta for weights."""
    objective = Objective64(case.model(), case.data, case.loss, batch_size=4)
    theta = objective.theta + 0.1 * torch.randn_like(objective.theta)
    moved = case.model()
    nn.utils.vector_to_parameters(theta, [p for p in moved.parameters() if p.requires_grad])
    there = Objective64(moved, case.data, case.loss, batch_size=4)
    direction = torch.randn_like(theta)

    # Texts, since a dataclass with a NaN in it is not equal to another in Python 3.13.
    assert str(objective.evaluate(theta)) == str(there.evaluate())
    assert objective.loss(theta) == there.loss()
    assert objective.loss(theta) != objective.loss()
    assert torch.equal(objective.gradient(theta), there.gradient())
    assert torch.equal(
        objective.hessian_product(direction, theta), there.hessian_product(direction)
    )


def test_single_precision_derivatives_are_near_those_in_double():
    case = BY_NAME["vit"]
    objective = Objective32(case.model(), case.data)
    vector = torch.randn(objective.num_parameters)
    assert objective.theta.dtype == torch.float32
    close(objective.gradient().double(), case.gradient(), 1e-5)
    close(objective.hessian_product(vector).double(), case.hessian() @ vector.double(), 1e-5)


def test_a_loss_that_is_linear_in_theta_has_a_zero_hessian():
    def mean_output(outputs, _targets):
        return outputs.mean()

    objective = Objective64(nn.Linear(5, 2), vectors(), mean_output)
    product = objective.hessian_product(torch.ones(12, 2, dtype=torch.float64))
    assert torch.equal(product, torch.zeros(12, 2, dtype=torch.float64))
    assert objective.gradient().abs().sum() > 0


def test_encoder_layer_of_torch():
    """Its eval mode takes a fused path without gradients; derivatives must not."""

    def encoder():
        return nn.Sequential(
            nn.TransformerEncoderLayer(6, 2, 7, dropout=0.0, batch_first=True),
            nn.Flatten(),
            nn.Linear(4 * 6, 3),
        ).double()

    model = randomise(encoder())
    inputs, targets = torch.randn(5, 4, 6, dtype=torch.float64), torch.randint(3, (5,))
    # Without dropout both modes are one function; in train mode no fused path is taken.
    model.train()
    objective = Objective64(model, (inputs, targets), batch_size=3)
    direction = torch.randn(objective.num_parameters, 2, dtype=torch.float64)
    expected = F.cross_entropy(model(inputs), targets).item()
    assert objective.loss() == pytest.approx(expected, rel=1e-12)
    close(objective.gradient(), dense_gradient(model, inputs, targets, F.cross_entropy), 1e-10)
    hessian = dense_hessian(model, inputs, targets, F.cross_entropy)
    close(objective.hessian_product(direction), hessian @ direction, 1e-10)


@pytest.mark.parametrize("context", [nullcontext, torch.no_grad], ids=["plain", "no_grad"])
def test_derivatives_do_not_depend_on_the_callers_grad_mode(context):
    case = BY_NAME["linear regression"]
    objective = Objective64(case.model(), case.data, case.loss)
    direction = torch.ones_like(objective.theta)
    with context():
        gradient, product = objective.gradient(), objective.hessian_product(direction)
    close(gradient, case.gradient(), 1e-10)
    close(product, case.hessian() @ direction, 1e-10)


@settings(max_examples=repeats(10, 25), deadline=None, database=None)
@given(seed=st.integers(0, 2**31 - 1), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_hessian_product_is_linear_and_symmetric(seed, a, b):
    case = BY_NAME["mlp with frozen parameters"]
    objective = Objective64(case.model(), case.data, batch_size=3)
    torch.manual_seed(seed)
    u, v = torch.randn(2, objective.num_parameters, dtype=torch.float64)
    hu, hv = objective.hessian_product(u), objective.hessian_product(v)
    combined = objective.hessian_product(a * u + b * v)
    torch.testing.assert_close(combined, a * hu + b * hv, rtol=1e-10, atol=1e-12)
    assert torch.dot(u, hv).item() == pytest.approx(torch.dot(v, hu).item(), rel=1e-10, abs=1e-12)
