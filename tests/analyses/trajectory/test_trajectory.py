"""Trajectories: the plane, the path on it, and the losses of both."""

import numpy as np
import pytest
import torch

from analyses import trajectory
from analyses.slices.directions import make_directions
from analyses.trajectory.settings import Settings
from landscape.objective.objective import Objective
from tests.analyses.problems import network, objective
from tests.analyses.trajectory.walks import EPOCHS, GRID, basis, in_double, save, vector, walk
from tests.oracles.cases import BY_NAME


def test_the_plane_is_that_of_the_principal_components(measured):
    networks, problem, result = measured
    path = np.array([vector(model, problem) for model in networks])
    offsets = path - path[-1]
    _, sizes, components = np.linalg.svd(offsets - offsets.mean(0), full_matrices=False)
    directions = basis(result, problem)
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(np.abs((directions * components[:2]).sum(1)), 1, rtol=1e-10)
    shares = sizes**2 / (sizes**2).sum()
    np.testing.assert_allclose(result.path["explained"], shares, atol=1e-12)
    assert result.path["explained"].sum() == pytest.approx(1)
    assert 0.8 < result.path["explained"][:2].sum() < 1

    coordinates = offsets @ directions.T
    np.testing.assert_allclose(result.path["x"], coordinates[:, 0], atol=1e-10)
    np.testing.assert_allclose(result.path["y"], coordinates[:, 1], atol=1e-10)
    rest = np.linalg.norm(offsets - coordinates @ directions, axis=1)
    np.testing.assert_allclose(result.path["distance"], rest, atol=1e-10)
    assert result.path["epoch"].tolist() == list(range(EPOCHS))


def test_the_path_ends_at_the_network_itself(measured):
    networks, problem, result = measured
    assert (result.path["x"][-1], result.path["y"][-1], result.path["distance"][-1]) == (0, 0, 0)
    assert result.path["loss"][-1] == result.path["plane_loss"][-1] == result.loss_at_origin
    assert result.loss_at_origin == problem.loss()
    assert result.path["x"][0] > 0
    assert result.path["y"][0] > 0
    assert result.loss[2, 1] == result.loss_at_origin  # (0, 0) of the grid


def test_the_losses_of_the_path_are_those_of_the_saved_networks(measured):
    networks, _, result = measured
    expected = [in_double(model).loss() for model in networks]
    np.testing.assert_array_equal(result.path["loss"], expected)
    assert np.ptp(expected) > 0.1


def test_the_losses_on_the_plane_are_evaluations_there(measured):
    _, problem, result = measured
    x, y = map(torch.from_numpy, basis(result, problem))
    for a, b, loss in zip(*(result.path[n] for n in ("x", "y", "plane_loss")), strict=True):
        expected = problem.loss(problem.theta + a * x + b * y)
        assert loss == pytest.approx(expected, rel=1e-13)
    assert np.abs(result.path["loss"] - result.path["plane_loss"])[:-1].min() > 0


def test_the_grid_is_that_of_a_surface(measured):
    _, problem, result = measured
    x, y = map(torch.from_numpy, basis(result, problem))
    assert result.loss.shape == result.accuracy.shape == (7, 4)
    for row, b in enumerate(GRID["y"].coordinates):
        for column, a in enumerate(GRID["x"].coordinates):
            expected = problem.loss(problem.theta + a * x + b * y)
            assert result.loss[row, column] == pytest.approx(expected, rel=1e-13)


def test_saved_networks_keep_their_own_statistics(tmp_path):
    case = BY_NAME["resnet with batch norm"]
    networks = walk(case.model(), 4)

    def problem(model):
        return Objective(model, case.data, device="cpu", dtype=torch.float64, batch_size=3)

    whole = problem(networks[-1])
    before = [buffer.clone() for buffer in whole.module.buffers()]
    result = trajectory.compute(whole, Settings(epochs=save(networks, tmp_path), **GRID))
    np.testing.assert_array_equal(result.path["loss"], [problem(m).loss() for m in networks])
    # On the plane the statistics are those of the network at its origin.
    for k, model in enumerate(networks):
        hybrid = problem(model)
        hybrid.live_statistics.copy_(whole.statistics)
        assert result.path["loss"][k] != pytest.approx(hybrid.loss(), rel=1e-6) or k == 3
    x, y = map(torch.from_numpy, basis(result, whole))
    at = whole.theta + result.path["x"][0] * x + result.path["y"][0] * y
    assert result.path["plane_loss"][0] == pytest.approx(whole.loss(at), rel=1e-12)
    assert all(map(torch.equal, whole.module.buffers(), before))


def test_another_plane_is_projected_upon(tmp_path):
    networks = walk(network().double())
    problem = in_double(networks[-1])
    how = {"directions": "random", "normalize": "weight", "policy": "all", "seed": 3}
    result = trajectory.compute(problem, Settings(epochs=save(networks, tmp_path), **GRID, **how))
    drawn = make_directions(problem, Settings(**how), 2)
    plane = np.array([direction.vector.numpy() for direction in drawn])
    assert abs(plane[0] @ plane[1]) > 1e-3  # neither orthogonal nor of unit length
    offsets = np.array([vector(model, problem) for model in networks]) - problem.theta.numpy()
    solved, *_ = np.linalg.lstsq(plane.T, offsets.T, rcond=None)
    np.testing.assert_allclose(result.path["x"], solved[0], atol=1e-10)
    np.testing.assert_allclose(result.path["y"], solved[1], atol=1e-10)
    rest = np.linalg.norm(offsets - solved.T @ plane, axis=1)
    np.testing.assert_allclose(result.path["distance"], rest, atol=1e-10)
    page = trajectory.draw([result])["trajectory"]
    assert "variance" not in page.axes[0].get_xlabel()


def test_the_grid_covers_the_path_and_the_network(tmp_path):
    networks = walk(network())
    pattern = save(networks, tmp_path)
    result = trajectory.compute(objective(seed=0), Settings(epochs=pattern, points=5))
    assert result.loss.shape == (5, 5)
    for axis, name in ((result.x, "x"), (result.y, "y")):
        values = np.append(result.path[name], 0.0)
        reach = np.ptp(values)
        assert axis[0] == pytest.approx(values.min() - 0.2 * reach)
        assert axis[-1] == pytest.approx(values.max() + 0.2 * reach)
