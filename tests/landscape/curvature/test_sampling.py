"""Sampling errors of eigenvalues: by forward passes the same as by products of the slices."""

from unittest.mock import patch

import numpy as np
import pytest
import torch

from landscape.curvature import forward_mode
from landscape.curvature import sampling as sampling_module
from landscape.curvature.forward_mode import sample_curvatures
from landscape.curvature.requests import ProductRequest
from landscape.curvature.sampling import rayleigh_quotients, sampling_errors
from landscape.objective.objective import Objective
from landscape.parameters.groups import tensors_group
from tests.oracles.cases import BY_NAME, CASES
from tests.oracles.dense import dense_hessian

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def objective_of(case):
    return Objective(
        case.model(), case.data, case.loss, batch_size=4, device="cpu", dtype=torch.float64
    )


def requests_of(objective):
    """Two unit vectors: one of the whole matrix, one of the block of the last tensors."""
    layout = objective.layout
    group = tensors_group(layout, range(len(layout.names) // 2, len(layout.names)))
    vectors = []
    for size in (layout.size, group.size):
        draw = torch.randn(size, 1, generator=torch.Generator().manual_seed(size))
        vectors.append((draw / draw.norm()).double())
    return [ProductRequest(vectors[0]), ProductRequest(vectors[1], group)]


def quotients_of(case, objective, requests):
    hessian = case.hessian()
    columns = [requests[0].vectors, requests[1].group.scatter(requests[1].vectors, len(hessian))]
    return [(column.T @ hessian @ column).item() for column in columns]


@every_case
def test_the_curvature_of_every_sample_is_that_of_its_dense_hessian(case):
    objective = objective_of(case)
    requests = requests_of(objective)
    curvatures = torch.cat(
        [sample_curvatures(objective, requests, batch, at_once=2) for batch in objective.batches], 1
    )
    curvatures *= objective.num_samples / objective.total_weight  # all samples count alike
    inputs, targets = case.data
    column = requests[0].vectors
    for k in (0, 3, 6):
        hessian = dense_hessian(case.model(), inputs[k : k + 1], targets[k : k + 1], case.loss)
        expected = (column.T @ hessian @ column).item()
        assert curvatures[0, k].item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    means = curvatures.mean(1).tolist()
    assert means == pytest.approx(quotients_of(case, objective, requests), rel=1e-9, abs=1e-12)


@every_case
def test_the_errors_are_those_of_products_and_take_none(case):
    objective = objective_of(case)
    requests = requests_of(objective)
    sampling = sampling_errors(objective, requests, quotients_of(case, objective, requests))
    assert sampling.products == [0, 0]
    measured = rayleigh_quotients(objective, requests, objective.batches)
    np.testing.assert_allclose(
        sampling.errors, [estimate.stderr for estimate in measured], rtol=1e-8, atol=1e-13
    )


@pytest.mark.parametrize("fault", ["a wrong derivative", "none", "another eigenvalue"])
def test_where_they_do_not_agree_products_are_taken(fault, monkeypatch):
    case = BY_NAME["vit"]
    objective = objective_of(case)
    requests = requests_of(objective)
    quotients = quotients_of(case, objective, requests)
    if fault == "a wrong derivative":  # torch's own of layer norms
        monkeypatch.setattr(forward_mode, "FORWARD_MODE", {})
    elif fault == "none":

        def refuse(*_):
            raise NotImplementedError("no forward mode")

        monkeypatch.setattr(forward_mode, "_along", refuse)
    else:
        quotients[1] += 0.1
    sampling = sampling_errors(objective, requests, quotients)
    assert sampling.products == [1, 1]
    measured = rayleigh_quotients(objective, requests, objective.batches)
    assert sampling.errors == [estimate.stderr for estimate in measured]


def test_other_matrices_take_products():
    case = BY_NAME["mlp with tied weights"]
    objective = objective_of(case)
    sampling = sampling_errors(objective, requests_of(objective), [1.0, 1.0], "ggn")
    assert sampling.products == [1, 1]
    assert all(error > 0 for error in sampling.errors)


def both_ways(model, classes):
    """The sampling errors of a model, and what products of the slices say."""
    data = torch.randn(40, 3), torch.randint(classes, (40,))
    objective = Objective(model, data, torch.nn.CrossEntropyLoss(), dtype=torch.float64)
    requests = requests_of(objective)
    measured = rayleigh_quotients(objective, requests, objective.batches)
    sampling = sampling_errors(objective, requests, [each.value for each in measured])
    return sampling, [each.stderr for each in measured]


class Decides(torch.nn.Module):
    """A network whose forward pass depends on the value of a weight."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, inputs):
        outputs = self.layer(inputs)
        return outputs.tanh() if self.layer.weight[0, 0] < 10 else outputs


def test_a_network_that_decides_by_a_weight_is_passed_for_each_vector():
    sampling, errors = both_ways(Decides(), 2)
    assert sampling.products == [0, 0]
    np.testing.assert_allclose(sampling.errors, errors, rtol=1e-8)


class Slope(torch.nn.Module):
    """A network whose outputs are the slopes of another, by its inputs."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
        )

    def forward(self, inputs):
        at = inputs.detach().requires_grad_()
        return torch.autograd.grad(self.layers(at).sum(), at, create_graph=True)[0]


def test_a_network_that_takes_gradients_takes_products():
    sampling, errors = both_ways(Slope(), 3)
    assert sampling.products == [1, 1]
    assert sampling.errors == errors


def test_a_sample_that_exceeds_the_cache_takes_products():
    case = BY_NAME["vit"]
    objective = objective_of(case)
    requests = requests_of(objective)
    quotients = quotients_of(case, objective, requests)
    with patch.object(sampling_module, "cache_bytes", return_value=1):
        assert sampling_errors(objective, requests, quotients).products == [1, 1]
    assert sampling_errors(objective, requests, quotients).products == [0, 0]


@every_case
def test_many_vectors_at_once_give_what_each_gives_alone(case):
    objective = objective_of(case)
    requests = requests_of(objective) * 3
    batch = objective.batches[0]
    together = sample_curvatures(objective, requests, batch, at_once=4)
    alone = sample_curvatures(objective, requests, batch, at_once=1)
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)
