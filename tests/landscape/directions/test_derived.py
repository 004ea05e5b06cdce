from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from landscape.checkpoints.weights import Weights
from landscape.directions import derived as derived_directions
from landscape.directions.derived import (
    eigenvector_directions,
    gradient_direction,
    principal_plane,
    project,
    toward,
)
from landscape.directions.direction import Direction, cosine
from landscape.eigen.lanczos import lanczos
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.slices.evaluator import PointEvaluator
from tests.oracles.cases import BY_NAME, randomise

Objective64 = partial(Objective, device="cpu", dtype=torch.float64)


def objective_of(name="mlp with frozen parameters"):
    case = BY_NAME[name]
    return Objective64(case.model(), case.data, case.loss)


def weights_of(objective):
    return Weights(objective.theta, objective.statistics)


def state_of(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


# -------------------------------------------------------------------------------------- toward


def rounded(model):
    """To multiples of 2^-20, so that a + (b - a) is b to the last bit."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.copy_((tensor * 2**20).round() / 2**20)
    return model


@pytest.fixture
def two_resnets():
    case = BY_NAME["resnet with batch norm"]
    models = rounded(case.model()), rounded(randomise(case.model()))
    return tuple(Objective64(model, case.data) for model in models)


def test_zero_and_one_are_the_two_networks(two_resnets):
    start, end = two_resnets
    evaluator = PointEvaluator(start, [toward(start, weights_of(end))], "train")
    for coordinate, network in ((0.0, start), (1.0, end)):
        expected = state_of(network.module)
        evaluator.place((coordinate,))
        state = state_of(start.module)
        assert "bn1.running_var" in state
        for key, tensor in expected.items():
            assert torch.equal(state[key], tensor), key
        assert evaluator((coordinate,))[0] == pytest.approx(network.loss(), rel=1e-12)
        evaluator.close()


def test_without_states_the_statistics_stay(two_resnets):
    start, end = two_resnets
    direction = toward(start, weights_of(end), states=False)
    assert direction.statistics is None
    evaluator = PointEvaluator(start, [direction], "train")
    evaluator.place((1.0,))
    assert torch.equal(start.live_weights, end.theta)
    assert torch.equal(start.live_statistics, start.statistics)
    assert evaluator((1.0,))[0] != pytest.approx(end.loss(), rel=1e-3)


def test_a_network_without_statistics_has_none_to_move():
    start = objective_of("vit")
    end = Objective64(randomise(BY_NAME["vit"].model()), BY_NAME["vit"].data)
    direction = toward(start, weights_of(end))
    assert direction.statistics is None
    torch.testing.assert_close(start.theta + direction.vector, end.theta, rtol=1e-15, atol=1e-15)
    assert direction.layout == start.layout


def test_weights_in_another_precision_are_taken(two_resnets):
    start, end = two_resnets
    single = Weights(end.theta.float(), end.statistics.float())
    direction = toward(start, single)
    assert direction.vector.dtype == direction.statistics.dtype == torch.float64
    assert torch.equal(start.theta + direction.vector, end.theta.float().double())


def test_the_same_weights_are_refused(two_resnets):
    start, _ = two_resnets
    with pytest.raises(InputError, match="the same weights; there is no line"):
        toward(start, weights_of(start))


# ------------------------------------------------------------------------------------ gradient


@pytest.mark.parametrize("name", ["vit", "mlp with frozen parameters", "resnet with batch norm"])
@pytest.mark.parametrize("norm", [1.0, 7.5])
def test_the_gradient_points_uphill_at_the_norm_asked_for(name, norm):
    objective = objective_of(name)
    direction = gradient_direction(objective, norm)
    expected = BY_NAME[name].gradient()
    torch.testing.assert_close(
        direction.vector, expected * (norm / expected.norm()), rtol=1e-9, atol=1e-9
    )
    assert direction.statistics is None
    step = 1e-4 / norm * direction.vector
    assert objective.loss(objective.theta + step) > objective.loss(objective.theta - step)


@pytest.mark.parametrize("factor", [0.0, float("nan"), float("inf")])
def test_a_gradient_without_direction_is_refused(factor):
    case = BY_NAME["linear regression"]

    def loss(outputs, targets):
        return factor * case.loss(outputs, targets)

    objective = Objective64(case.model(), case.data, loss, verify=False)
    with pytest.raises(NotMeasurableError, match="the gradient has norm (0|nan|inf)"):
        gradient_direction(objective, 1.0)


# -------------------------------------------------------------------------------- eigenvectors


@pytest.mark.parametrize("name", ["mlp with frozen parameters", "vit", "resnet with batch norm"])
def test_eigenvectors_are_those_of_the_dense_hessian(name):
    values, vectors = torch.linalg.eigh(BY_NAME[name].hessian())
    order = values.abs().argsort(descending=True)
    directions = eigenvector_directions(
        objective_of(name), 2, 3.0, torch.Generator().manual_seed(0)
    )
    assert len(directions) == 2
    for k, direction in enumerate(directions):
        assert abs(cosine(direction.vector, vectors[:, order[k]])) == pytest.approx(1, abs=1e-8)
        assert direction.vector.norm().item() == pytest.approx(3, rel=1e-12)
    assert cosine(directions[0].vector, directions[1].vector) == pytest.approx(0, abs=1e-8)


def test_eigenvectors_that_did_not_converge_are_refused(monkeypatch):
    def unfinished(*arguments):
        pairs = lanczos(*arguments)
        return replace(pairs, converged=torch.tensor([True, False]))

    monkeypatch.setattr(derived_directions, "lanczos", unfinished)
    with pytest.raises(NotMeasurableError, match=r"did not converge \(relative residuals \d"):
        eigenvector_directions(objective_of(), 2, 1.0, torch.Generator())


# ------------------------------------------------------------------------------ principal plane


def path_of(objective, count=9, scale=0.1):
    """A random walk that ends at the objective's own weights."""
    steps = scale * torch.randn(count, objective.num_parameters, dtype=torch.float64)
    steps[:, 0] += 1.0
    steps[:, 1] += torch.linspace(-1, 1, count)
    walk = steps.cumsum(0)
    return list(objective.theta + (walk - walk[-1]))


@pytest.mark.parametrize("count", [3, 9])
def test_the_plane_is_that_of_the_singular_vectors(count):
    objective = objective_of()
    path = path_of(objective, count)
    points = torch.stack(path).numpy()
    _, singular, vectors = np.linalg.svd(points - points.mean(0), full_matrices=False)
    plane = principal_plane(objective, path)
    for direction, expected in zip((plane.x, plane.y), vectors, strict=False):
        sign = np.sign(expected @ (points[0] - objective.theta.numpy()))
        np.testing.assert_allclose(direction.vector, sign * expected, rtol=0, atol=1e-10)
        assert direction.layout == objective.layout
        assert direction.statistics is None
    shares = singular**2 / (singular**2).sum()
    np.testing.assert_allclose(plane.shares, shares, rtol=0, atol=1e-12)
    assert plane.shares.sum() == pytest.approx(1, rel=1e-12)
    assert len(plane.shares) == count


def test_the_path_starts_at_positive_coordinates():
    objective = objective_of()
    for _ in range(4):
        path = path_of(objective, 6)
        plane = principal_plane(objective, path)
        projection = project(objective, path, plane.x, plane.y)
        assert projection.x[0] > 0
        assert projection.y[0] > 0
        assert projection.x[-1] == projection.y[-1] == projection.distance[-1] == 0


def test_no_plane_holds_more_of_the_path():
    objective = objective_of()
    path = path_of(objective, 7, scale=1.0)
    centred = torch.stack(path) - torch.stack(path).mean(0)

    def variance(x, y):
        basis, _ = torch.linalg.qr(torch.stack([x, y], 1))
        return (centred @ basis).square().sum().item()

    plane = principal_plane(objective, path)
    best = variance(plane.x.vector, plane.y.vector)
    total = centred.square().sum().item()
    assert best / total == pytest.approx(plane.shares[:2].sum(), rel=1e-10)
    others = [variance(path[i] - path[j], path[i] - path[0]) for i, j in ((2, 1), (5, 3), (6, 2))]
    assert max(others) <= best


@pytest.mark.parametrize("count", [0, 2])
def test_fewer_than_three_points_are_refused(count):
    objective = objective_of()
    path = path_of(objective)[:count]
    with pytest.raises(InputError, match=f"at least 3 saved epochs, got {count}"):
        principal_plane(objective, path)


@pytest.mark.parametrize("still", [False, True])
def test_a_path_on_a_line_is_refused(still):
    objective = objective_of()
    step = torch.zeros_like(objective.theta) if still else torch.randn_like(objective.theta)
    with pytest.raises(InputError, match="on a line; they span no plane"):
        principal_plane(objective, [objective.theta + k * step for k in range(5)])


# ---------------------------------------------------------------------------------- projection


@pytest.mark.parametrize("angle", [0.1, 1.0, np.pi / 2, 2.5])
def test_coordinates_are_those_of_least_squares(angle):
    objective = objective_of()
    a, b = torch.linalg.qr(torch.randn(objective.num_parameters, 2, dtype=torch.float64))[0].T
    x = Direction(40.0 * a, objective.layout)
    y = Direction(0.3 * (np.cos(angle) * a + np.sin(angle) * b), objective.layout)
    path = path_of(objective)
    projection = project(objective, path, x, y)
    basis = torch.stack([x.vector, y.vector], 1).numpy()
    offsets = (torch.stack(path) - objective.theta).numpy().T
    solved, squares, *_ = np.linalg.lstsq(basis, offsets, rcond=None)
    np.testing.assert_allclose(np.stack([projection.x, projection.y]), solved, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(projection.distance, np.sqrt(squares), rtol=1e-9, atol=1e-9)


def test_points_of_the_plane_have_their_coordinates_and_no_distance():
    objective = objective_of()
    x, y = (Direction(torch.randn_like(objective.theta), objective.layout) for _ in range(2))
    at = [(0.0, 0.0), (1.0, 0.0), (-0.25, 2.0)]
    path = [objective.theta + a * x.vector + b * y.vector for a, b in at]
    projection = project(objective, path, x, y)
    np.testing.assert_allclose(np.stack([projection.x, projection.y], 1), at, rtol=0, atol=1e-12)
    np.testing.assert_allclose(projection.distance, 0, atol=1e-12)


def test_no_points_have_no_coordinates():
    objective = objective_of()
    x, y = (Direction(torch.randn_like(objective.theta), objective.layout) for _ in range(2))
    projection = project(objective, [], x, y)
    assert projection.x.shape == projection.y.shape == projection.distance.shape == (0,)


def test_the_plane_in_single_precision():
    case = BY_NAME["mlp with frozen parameters"]
    objective = Objective(case.model(), case.data, device="cpu")
    path = [theta.float() for theta in path_of(objective_of())]
    plane = principal_plane(objective, path)
    assert plane.x.vector.dtype == torch.float32
    assert cosine(plane.x.vector, plane.y.vector) == pytest.approx(0, abs=1e-6)
    for direction in (plane.x, plane.y):
        assert direction.vector.norm().item() == pytest.approx(1, abs=1e-6)
