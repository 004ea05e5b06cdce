import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.landscape.objective.problems import Objective64, batches, mlp, vectors
from tests.oracles.cases import BY_NAME


def state_of(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def assert_same_state(module, state):
    now = module.state_dict()
    assert list(now) == list(state)
    for key, value in state.items():
        assert torch.equal(now[key], value), key


@pytest.mark.parametrize("ask", ["loss", "evaluate", "gradient"])
def test_evaluating_elsewhere_restores_the_weights(ask):
    case = BY_NAME["resnet with batch norm"]
    objective = Objective64(case.model(), case.data)
    before, loss = state_of(objective.module), objective.loss()
    getattr(objective, ask)(objective.theta + 1.0)
    assert_same_state(objective.module, before)
    assert objective.loss() == loss


def test_a_hessian_product_elsewhere_restores_the_weights():
    case = BY_NAME["resnet with batch norm"]
    objective = Objective64(case.model(), case.data)
    before, loss = state_of(objective.module), objective.loss()
    objective.hessian_product(objective.theta, objective.theta + 1.0)
    assert_same_state(objective.module, before)
    assert objective.loss() == loss


@pytest.mark.parametrize("ask", ["loss", "gradient", "hessian_product"])
def test_weights_are_restored_when_the_loss_raises(ask):
    armed = []

    def explosive(outputs, targets):
        if armed:
            raise ArithmeticError("as told")
        return F.cross_entropy(outputs, targets)

    objective = Objective64(mlp(), vectors(), explosive, batch_size=5)
    before, loss = state_of(objective.module), objective.loss()
    elsewhere = objective.theta + 1.0
    arguments = (objective.theta, elsewhere) if ask == "hessian_product" else (elsewhere,)
    armed.append(True)
    with pytest.raises(ArithmeticError, match="as told"):
        getattr(objective, ask)(*arguments)
    armed.clear()
    assert_same_state(objective.module, before)
    assert objective.loss() == loss


def test_a_theta_that_requires_a_gradient_is_only_read():
    objective = Objective64(mlp(), vectors())
    theta = (objective.theta + 0.1).requires_grad_()
    assert objective.loss(theta) == objective.loss(theta.detach())
    assert torch.equal(objective.gradient(theta), objective.gradient(theta.detach()))
    assert theta.grad is None
    assert not objective.gradient().requires_grad


def test_the_users_module_stays_as_it_is():
    case = BY_NAME["resnet with batch norm"]
    model = case.model().float().train()
    model.conv1.requires_grad_(False)
    model.layer1.eval()
    state, flags = state_of(model), [p.requires_grad for p in model.parameters()]
    modes, storage = [m.training for m in model.modules()], model.fc.weight.data_ptr()
    objective = Objective64(model, case.data, batch_size=3)
    theta = objective.theta + 1.0
    objective.evaluate(theta)
    objective.gradient(theta)
    objective.hessian_product(theta, theta)

    assert_same_state(model, state)
    assert [p.requires_grad for p in model.parameters()] == flags
    assert [m.training for m in model.modules()] == modes
    assert model.fc.weight.data_ptr() == storage
    assert model.fc.weight.dtype == torch.float32
    assert all(p.grad is None for p in model.parameters())


def test_changing_the_users_module_does_not_change_the_function():
    model = mlp()
    objective = Objective64(model, vectors())
    loss = objective.loss()
    with torch.no_grad():
        model[0].weight.zero_()
    assert objective.loss() == loss


@pytest.mark.parametrize("form", ["tensors", "loader that refills one buffer"])
def test_overwriting_the_users_tensors_does_not_change_the_function(form):
    model, (inputs, targets) = mlp(), vectors()
    expected = F.cross_entropy(model(inputs), targets).item()

    def refilled():
        buffer, numbers = inputs[:4].clone(), targets[:4].clone()
        for x, y in batches(inputs, targets, 4):
            yield buffer.copy_(x), numbers.copy_(y)

    data = (inputs, targets) if form == "tensors" else refilled()
    objective = Objective64(model, data)
    inputs.zero_()
    assert objective.loss() == pytest.approx(expected, rel=1e-12)


def test_a_model_in_train_mode_is_measured_in_eval_mode():
    case = BY_NAME["resnet with batch norm"]
    body = case.model()
    model = nn.Sequential(body, nn.Dropout(0.5)).train()
    inputs, targets = case.data
    objective = Objective64(model, case.data)
    assert objective.loss() == objective.loss()
    expected = F.cross_entropy(body.eval()(inputs), targets).item()
    assert objective.loss() == pytest.approx(expected, rel=1e-14)
    assert model.training


def test_the_global_generator_is_left_alone():
    case = BY_NAME["linear regression"]
    state = torch.get_rng_state()
    objective = Objective64(case.model(), case.data, case.loss)
    objective.hessian_product(objective.gradient())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("wrap", ["data parallel", "compiled", "both"])
def test_wrappers_are_taken_off(wrap):
    class Compiled(nn.Module):
        """What torch.compile returns, in the respect that matters."""

        def __init__(self, model):
            super().__init__()
            self._orig_mod = model

        def forward(self, *_):
            raise AssertionError("the wrapper was called")

    model, data = mlp(), vectors()
    wrapped = model
    if wrap != "compiled":
        wrapped = nn.DataParallel(wrapped)
    if wrap != "data parallel":
        wrapped = Compiled(wrapped)
    objective = Objective64(wrapped, data)
    assert type(objective.module) is nn.Sequential
    assert objective.layout.names == ("0.weight", "0.bias", "2.weight", "2.bias")
    assert objective.loss() == Objective64(model, data).loss()


def test_weights_and_statistics_written_over_are_restored():
    case = BY_NAME["resnet with batch norm"]
    objective = Objective64(case.model(), case.data)
    before, loss = state_of(objective.module), objective.loss()
    objective.live_weights.add_(1.0)
    objective.live_statistics.mul_(2.0)
    assert torch.equal(objective.module.bn1.running_var, 2.0 * before["bn1.running_var"])
    assert torch.equal(objective.module.fc.bias, before["fc.bias"] + 1.0)
    assert objective.loss() != loss
    objective.restore()
    assert_same_state(objective.module, before)
    assert objective.loss() == loss
