"""Surfaces: their values, what is not finite, files and headline numbers."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import line, surface
from analyses.run_context import RunContext
from analyses.slices.grid import Axis
from analyses.surface.measure import measure
from analyses.surface.result import Surface
from analyses.surface.settings import Settings
from landscape.directions.direction import cosine
from landscape.objective.objective import Objective
from landscape.results.journal import read_journal
from landscape.slices import choose_mode
from tests.analyses.case_objectives import case_objective
from tests.analyses.interruptions import interrupt_after
from tests.analyses.problems import having_loss, network, objective, result, samples
from tests.analyses.surface.grids import GRID, Y0, direction_vectors
from tests.oracles.cases import BY_NAME


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_origin_is_the_network_itself_exactly(name, dtype):
    problem = case_objective(name, dtype)
    settings = Settings(x=Axis(-0.3, 0.3, 7), y=Axis(-0.1, 0.2, 4))
    assert settings.x.coordinates[3] == settings.y.coordinates[1] == 0
    plane = surface.compute(problem, settings)
    expected = problem.evaluate()
    assert plane.loss[1, 3] == plane.loss_at_origin == expected.loss
    np.testing.assert_array_equal(plane.accuracy[1, 3], expected.accuracy)
    np.testing.assert_array_equal(plane.accuracy_at_origin, expected.accuracy)


def stored_direction(path, name):
    """A direction by tensors, read with nothing but h5py."""
    with h5py.File(path) as file:
        group = file[name]
        return [torch.from_numpy(group[str(number)][()]) for number in range(len(group))]


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm", "mlp with tied weights"])
def test_every_point_is_the_network_moved_along_the_stored_directions(tmp_path, name):
    case = BY_NAME[name]
    plane = surface.compute(case_objective(name), GRID)
    plane.save(tmp_path / "surface.h5")
    dx, dy = (stored_direction(tmp_path / "surface.h5", d) for d in ("xdirection", "ydirection"))
    inputs, targets = case.data
    assert plane.loss.shape == plane.accuracy.shape == (6, 4)
    for row, y in enumerate(np.linspace(-0.5, 0.75, 6)):
        for column, x in enumerate(np.linspace(-1, 2, 4)):
            model = case.model()
            parameters = [p for p in model.parameters() if p.requires_grad]
            with torch.no_grad():
                for parameter, along_x, along_y in zip(parameters, dx, dy, strict=True):
                    parameter += float(x) * along_x + float(y) * along_y
                outputs = model(inputs)
            loss = case.loss(outputs, targets).item()
            assert plane.loss[row, column] == pytest.approx(loss, rel=1e-12)
            hits = (outputs.argmax(1) == targets).sum().item()
            assert plane.accuracy[row, column] == pytest.approx(100 * hits / len(targets))
    assert len(np.unique(plane.loss)) == plane.loss.size


def test_a_point_is_an_evaluation_exactly():
    problem = objective()
    plane = surface.compute(problem, GRID)
    dx, dy = direction_vectors(plane, problem)
    for row, y in enumerate(GRID.y.coordinates):
        for column, x in enumerate(GRID.x.coordinates):
            theta = torch.add(torch.add(problem.theta, dy, alpha=float(y)), dx, alpha=float(x))
            value = problem.evaluate(theta)
            assert plane.loss[row, column] == value.loss
            assert plane.accuracy[row, column] == value.accuracy


def test_the_row_through_the_origin_is_the_line_along_x():
    problem = objective()
    plane = surface.compute(problem, GRID)
    along = line.compute(problem, line.Settings(x=GRID.x, seed=GRID.seed))
    np.testing.assert_array_equal(plane.loss[Y0], along.loss)
    np.testing.assert_array_equal(plane.accuracy[Y0], along.accuracy)


def test_along_any_direction_a_linear_regression_is_a_parabola():
    case = BY_NAME["linear regression"]
    problem = case_objective(case.name)
    plane = surface.compute(problem, replace(GRID, policy="all"))
    vectors = direction_vectors(plane, problem)
    gradient, hessian = case.gradient(), case.hessian()
    xs, ys = np.meshgrid(GRID.x.coordinates, GRID.y.coordinates)
    expected = np.full(xs.shape, problem.loss())
    for moved, vector in zip((xs, ys), vectors, strict=True):
        expected += moved * (gradient @ vector).item()
        expected += 0.5 * moved**2 * (vector @ hessian @ vector).item()
    expected += xs * ys * (vectors[0] @ hessian @ vectors[1]).item()
    np.testing.assert_allclose(plane.loss, expected, rtol=1e-12)
    assert np.isnan(plane.accuracy).all()


def test_the_model_is_left_as_it_is():
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    problem = Objective(model, samples(), device="cpu")
    theta = problem.theta.clone()
    surface.compute(problem, GRID)
    assert torch.equal(problem.theta, theta)
    assert problem.loss() == problem.loss(theta)
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)
    assert model.training


def test_running_statistics_are_not_moved():
    problem = case_objective("resnet with batch norm", torch.float32)
    before = [buffer.clone() for buffer in problem.module.buffers()]
    plane = surface.compute(problem, replace(GRID, policy="all"))
    assert np.isfinite(plane.loss).all()
    assert all(map(torch.equal, problem.module.buffers(), before))


# --------------------------------------------------------------------- what is not finite


class Fragile(nn.Module):
    """nan where the weight is negative, inf where it is more than 1.4."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.5]]))

    def forward(self, x):
        return x * self.weight.sqrt() + 1 / (1.4 - self.weight).clamp(min=0)


def test_non_finite_losses_are_recorded_unchanged(tmp_path):
    data = torch.randn(5, 1), torch.randn(5, 1)
    problem = Objective(Fragile(), data, F.mse_loss, device="cpu", dtype=torch.float64)
    settings = Settings(x=Axis(-2, 3, 21), y=Axis(-2, 2, 17), normalize="none")
    plane = surface.compute(problem, settings)
    dx, dy = (plane.directions[f"{d}direction/0"].item() for d in "xy")
    xs, ys = np.meshgrid(settings.x.coordinates, settings.y.coordinates)
    weights = 0.5 + xs * dx + ys * dy
    assert np.array_equal(np.isnan(plane.loss), weights < 0)
    assert np.isnan(plane.loss).any()
    large = weights > 1.4
    assert large.any()
    assert np.array_equal(np.isposinf(plane.loss), large)
    assert np.isfinite(plane.loss).any()
    plane.save(tmp_path / "surface.h5")
    np.testing.assert_array_equal(Surface.load(tmp_path / "surface.h5").loss, plane.loss)
    headline = plane.headline()
    finite = plane.loss[np.isfinite(plane.loss)]
    assert headline["not_finite"] == plane.loss.size - finite.size
    assert headline["min_loss"] == finite.min()
    assert headline["max_loss"] == finite.max()
    assert headline["mean_loss"] == finite.mean()


def test_a_surface_without_one_finite_loss():
    before = result("surface")
    empty = having_loss(before, np.full_like(before.loss, np.nan))
    headline = empty.headline()
    assert headline["not_finite"] == empty.loss.size
    assert np.isnan([headline["min_loss"], headline["max_loss"], headline["mean_loss"]]).all()
    surface.tabulate([empty])


# ------------------------------------------------------------------------------ the result


def test_the_file_is_that_of_the_original_tool(tmp_path):
    problem = objective(split="test")
    plane = surface.compute(problem, GRID)
    plane.save(tmp_path / "surface.h5")
    with h5py.File(tmp_path / "surface.h5") as file:
        assert file["xcoordinates"][()].tolist() == [-1, 0, 1, 2]
        assert file["ycoordinates"][()].tolist() == [-0.5, -0.25, 0, 0.25, 0.5, 0.75]
        assert file["test_loss"].shape == file["test_acc"].shape == (6, 4)
        assert "train_loss" not in file
        for name in ("xdirection", "ydirection"):
            # Its reader takes the number of entries for the number of tensors.
            assert set(file[name]) == {str(k) for k in range(6)}
            for number, shape in enumerate(problem.layout.shapes):
                assert file[name][str(number)].shape == tuple(shape)
                assert file[name][str(number)].dtype == np.float32


def test_headline():
    problem = objective("a label", split="test")
    plane = surface.compute(problem, GRID)
    assert plane.label == "a label"
    inputs, targets = samples()
    losses = F.cross_entropy(network()(inputs), targets, reduction="none").double()
    headline = plane.headline()
    assert headline["split"] == "test"
    assert headline["loss"] == pytest.approx(losses.mean().item(), rel=1e-6)
    assert headline["loss_stderr"] == pytest.approx(losses.std().item() / 5, rel=1e-6)
    assert headline["accuracy"] == problem.evaluate().accuracy
    assert headline["min_loss"] == plane.loss.min()
    assert headline["max_loss"] == plane.loss.max()
    assert headline["mean_loss"] == pytest.approx(plane.loss.mean(), rel=1e-12)
    assert headline["not_finite"] == 0
    x, y = direction_vectors(plane, problem)
    assert headline["direction_cosine"] == pytest.approx(cosine(x, y), rel=1e-6)
    assert abs(headline["direction_cosine"]) < 0.5


def test_a_network_without_a_name_can_be_measured():
    problem = Objective(network(), samples(), device="cpu")
    plane = surface.compute(problem, GRID)
    assert (plane.label, plane.split) == ("", "train")


@pytest.mark.parametrize("refine", [False, True])
def test_points_that_are_evaluated_together_are_resumed_to_the_same_bits(
    tmp_path, monkeypatch, refine
):
    monkeypatch.setattr(choose_mode, "TOGETHER_WORTHWHILE_POINTS", 1)
    problem = case_objective("mlp with tied weights", torch.float32)
    settings = Settings(x=(-1, 1, 15), y=(-1, 1, 17), refine=refine)
    expected = surface.compute(problem, settings)
    assert expected.mode["points"] == 64
    context = RunContext(tmp_path)
    for count in (1, 70, 100, 160):
        with monkeypatch.context() as patch:
            interrupt_after(patch, count)
            with pytest.raises(KeyboardInterrupt):
                measure(problem, settings, context)
        entries = read_journal(tmp_path / "surface.journal")
        assert len(entries.values) == count
        assert entries.decisions | {"noise": 0.0} == expected.mode
    resumed = measure(problem, settings, context)
    assert resumed.mode == expected.mode
    np.testing.assert_array_equal(resumed.loss, expected.loss)
    np.testing.assert_array_equal(resumed.measured, expected.measured)
    monkeypatch.setattr(choose_mode, "TOGETHER_WORTHWHILE_POINTS", 1000)
    one_by_one = surface.compute(problem, replace(settings, refine=False))
    assert one_by_one.mode["points"] == 1
    known = resumed.measured
    np.testing.assert_allclose(resumed.loss[known], one_by_one.loss[known], rtol=1e-6)


def test_the_table_says_how_many_points_its_mean_leaves_out():
    before = result("surface")
    loss = before.loss.copy()
    loss[0, :2] = np.inf, np.nan
    (row,) = surface.tabulate([having_loss(before, loss)])[""]
    assert row["points left out of these, not finite"] == "2"
    mean = loss[np.isfinite(loss)].mean()
    assert float(row["mean loss over the plane"]) == pytest.approx(mean, rel=5e-3)
    assert surface.tabulate([before])[""][0]["points left out of these, not finite"] == "0"
