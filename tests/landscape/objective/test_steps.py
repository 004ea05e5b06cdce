"""Losses as training steps: their numbers are those of dense derivatives in float64."""

from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.curvature.operators import CurvatureOperator
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from tests.landscape.objective.problems import Objective64, close, mlp, vectors
from tests.oracles.by_rows import gradient_and_hessian


def assert_derivatives(objective, model, loss, rtol=1e-10):
    """Loss, gradient and Hessian, by the plain and the fast form, are those of ``loss(model)``."""
    value, gradient, hessian = gradient_and_hessian(model, loss)
    assert objective.loss() == pytest.approx(value.item(), rel=rtol)
    close(objective.gradient(), gradient, rtol)
    identity = torch.eye(len(gradient), dtype=torch.float64)
    close(objective.hessian_product(identity), hessian, rtol)
    close(CurvatureOperator(objective) @ identity, hessian, rtol)


def penalised(model, batch):
    inputs, targets = batch
    penalty = sum(p.square().sum() for p in model.parameters())
    return F.cross_entropy(model(inputs), targets) + 0.5 * penalty


@pytest.mark.parametrize("batch_size", [0, 5])
def test_a_penalty_of_the_weights(batch_size):
    model, data = mlp(), vectors()
    objective = Objective64(model, data, step=penalised, batch_size=batch_size)
    assert_derivatives(objective, model, lambda model: penalised(model, data))
    plain = Objective64(model, data)
    identity = torch.eye(objective.num_parameters, dtype=torch.float64)
    close(objective.hessian_product(identity) - plain.hessian_product(identity), identity, 1e-12)
    moved = objective.theta * 2
    expected = 1.5 * objective.theta.square().sum().item() + plain.loss(moved) - plain.loss()
    assert objective.loss(moved) - objective.loss() == pytest.approx(expected, rel=1e-10)


def residual(model, points):
    """u'' + sin(x) for the network u, as a physics-informed loss."""
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        u = model(points)
        (slope,) = torch.autograd.grad(u.sum(), points, create_graph=True)
        (curve,) = torch.autograd.grad(slope.sum(), points, create_graph=True)
    return (curve + torch.sin(points)).square().mean() + u[:1].square().mean()


def test_a_loss_without_data_that_takes_derivatives():
    torch.manual_seed(0)
    model, points = mlp(inputs=1, classes=1), torch.linspace(0, 3, 9, dtype=torch.float64)[:, None]

    def step(model, batch):
        assert batch is None
        return residual(model, points)

    objective = Objective64(model, step=step)
    assert_derivatives(objective, model, lambda model: residual(model, points))
    assert objective.num_samples == 1


class Residual(nn.Module):
    """The same as a module, with and without enabling gradients itself."""

    def __init__(self, network, enables):
        super().__init__()
        self.network, self.enables = network, enables

    def forward(self, points):
        with torch.set_grad_enabled(self.enables or torch.is_grad_enabled()):
            points = points.clone().requires_grad_()
            u = self.network(points)
            (slope,) = torch.autograd.grad(u.sum(), points, create_graph=True)
            return slope + u


@pytest.mark.parametrize("enables", [True, False])
def test_a_module_that_takes_derivatives_itself(enables):
    torch.manual_seed(0)
    model = Residual(mlp(inputs=1, classes=1), enables)
    points = torch.linspace(0, 3, 9, dtype=torch.float64)[:, None]
    objective = Objective64(model, (points, torch.zeros_like(points)), F.mse_loss, batch_size=4)
    assert objective.needs_gradients is not enables
    assert_derivatives(objective, model, lambda model: model(points).square().mean())


@dataclass
class Graph:
    nodes: torch.Tensor
    labels: torch.Tensor
    edges: torch.Tensor
    name: str = "a graph"


Triple = namedtuple("Triple", "x y weight")  # noqa: PYI024 - as users write it

ITEMS = {
    "dict": lambda x, y: {"x": x, "y": y, "id": "text"},
    "tuple of three": lambda x, y: (x, y, torch.ones(len(x))),
    "list of three": lambda x, y: [x, y, 3],
    "named tuple": lambda x, y: Triple(x, y, None),
    "dataclass": lambda x, y: Graph(x, y, torch.zeros(2, 7, dtype=torch.long)),
}


def read_item(item):
    if isinstance(item, dict):
        return item["x"], item["y"]
    if isinstance(item, Graph):
        return item.nodes, item.labels
    return item[0], item[1]


@pytest.mark.parametrize("form", ITEMS)
def test_batches_are_passed_as_they_came(form):
    model, (inputs, targets) = mlp(), vectors(12)
    items = [ITEMS[form](x, y) for x, y in zip(inputs.split(5), targets.split(5), strict=True)]
    seen = set()

    def step(model, batch):
        seen.add(type(batch))
        x, y = read_item(batch)
        return F.cross_entropy(model(x), y)

    objective = Objective64(model, items, step=step)
    assert seen == {type(items[0])}
    # The weights of the batches of 5, 5 and 2 samples are seen in the loss itself.
    expected = F.cross_entropy(model(inputs), targets)
    assert objective.loss() == pytest.approx(expected.item(), rel=1e-12)


def test_floats_in_a_batch_take_the_type_of_the_model():
    def step(model, batch):
        assert batch["x"].dtype == torch.float64
        return model(batch["x"]).square().mean()

    Objective64(nn.Linear(3, 2), {"x": torch.randn(4, 3)}, step=step)


def contrastive(model, batch):
    features = model(batch[0])
    return F.cross_entropy(features @ features.T, torch.arange(len(features)))


def test_samples_that_see_each_other_stay_together():
    torch.manual_seed(0)
    model, data = mlp(), vectors(9)
    with pytest.raises(InputError, match="batching='whole'"):
        Objective64(model, data, step=contrastive)
    objective = Objective64(model, data, step=contrastive, batching="whole")
    assert [batch.size for batch in objective.batches] == [9]
    assert_derivatives(objective, model, lambda model: contrastive(model, data))
    assert objective.evaluate().loss_stderr != objective.evaluate().loss_stderr  # nan: one batch


class GraphNetwork(nn.Module):
    """Two graph convolutions, over a sparse or dense adjacency matrix in a buffer."""

    def __init__(self, adjacency):
        super().__init__()
        self.first, self.second = nn.Linear(5, 4), nn.Linear(4, 3)
        self.register_buffer("adjacency", adjacency)

    def forward(self, nodes):
        hidden = torch.tanh(self.adjacency @ self.first(nodes))
        return self.adjacency @ self.second(hidden)


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_a_graph_is_one_batch(layout):
    torch.manual_seed(0)
    nodes, labels = vectors(10)
    adjacency = (torch.rand(10, 10) < 0.3).double() + torch.eye(10, dtype=torch.float64)
    model = GraphNetwork(adjacency.to_sparse() if layout == "sparse" else adjacency).double()
    with pytest.raises(InputError, match="not a part of it.*batching='whole'"):
        Objective64(model, (nodes, labels))
    objective = Objective64(model, (nodes, labels), batching="whole")
    assert_derivatives(objective, model, lambda model: F.cross_entropy(model(nodes), labels))


@pytest.mark.parametrize("name", ["ggn", "fisher"])
def test_matrices_of_the_outputs_need_outputs(name):
    objective = Objective64(mlp(), vectors(), step=penalised)
    with pytest.raises(NotMeasurableError, match="output|sample by sample"):
        CurvatureOperator(objective, matrix=name).matvec(objective.theta)


MISTAKES = {
    "both": ({"loss": F.cross_entropy, "step": penalised}, "either loss=.* or step="),
    "no function": ({"step": "penalised"}, "step has to be a function, got str"),
    "metrics": ({"step": penalised, "metrics": {"a": F.mse_loss}}, "metrics take"),
    "a float": ({"step": lambda m, b: m(b[0]).sum().item()}, "returns a scalar tensor.*float"),
    "another signature": ({"step": lambda model: 0}, "step does not take the batch"),
    "batching": ({"batching": "never"}, "samples or whole"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(mistake):
    arguments, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message) as caught:
        Objective(mlp(), vectors(), **arguments)
    assert "\n" not in str(caught.value)
