from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import line, surface
from analyses.drawing.scales import masked, shared_scale
from analyses.slices.grid import Axis
from analyses.surface.figures import contours
from analyses.surface.result import Surface
from analyses.surface.settings import Settings
from landscape.directions.direction import cosine
from landscape.directions.files import read_directions
from landscape.errors import InputError
from landscape.objective.objective import Objective
from tests.analyses.pictures import coloured, panels, render
from tests.analyses.problems import having_loss, network, objective, result, samples
from tests.oracles.cases import BY_NAME, CASES

GRID = Settings(x=Axis(-1.0, 2.0, 4), y=Axis(-0.5, 0.75, 6), seed=4)
X0, Y0 = 1, 2  # where 0 is

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def objective_of(case, dtype, **origin):
    model = case.model().to(dtype)
    return Objective(
        model, case.data, case.loss, batch_size=3, device="cpu", dtype=dtype, origin=origin
    )


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_origin_is_the_network_itself_exactly(case, dtype):
    problem = objective_of(case, dtype)
    settings = Settings(x=Axis(-0.3, 0.3, 7), y=Axis(-0.1, 0.2, 4))
    assert settings.x.coordinates[3] == settings.y.coordinates[1] == 0
    found = surface.compute(problem, settings)
    expected = problem.evaluate()
    assert found.loss[1, 3] == found.loss_at_origin == expected.loss
    np.testing.assert_array_equal(found.accuracy[1, 3], expected.accuracy)
    np.testing.assert_array_equal(found.accuracy_at_origin, expected.accuracy)


def stored_direction(path, name):
    """A direction by tensors, read with nothing but h5py."""
    with h5py.File(path) as file:
        group = file[name]
        return [torch.from_numpy(group[str(number)][()]) for number in range(len(group))]


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm", "mlp with tied weights"])
def test_every_point_is_the_network_moved_along_the_stored_directions(tmp_path, name):
    case = BY_NAME[name]
    found = surface.compute(objective_of(case, torch.float64), GRID)
    found.save(tmp_path / "surface.h5")
    dx, dy = (stored_direction(tmp_path / "surface.h5", d) for d in ("xdirection", "ydirection"))
    inputs, targets = case.data
    assert found.loss.shape == found.accuracy.shape == (6, 4)
    for row, y in enumerate(np.linspace(-0.5, 0.75, 6)):
        for column, x in enumerate(np.linspace(-1, 2, 4)):
            model = case.model()
            parameters = [p for p in model.parameters() if p.requires_grad]
            with torch.no_grad():
                for parameter, one, other in zip(parameters, dx, dy, strict=True):
                    parameter += float(x) * one + float(y) * other
                outputs = model(inputs)
            loss = case.loss(outputs, targets).item()
            assert found.loss[row, column] == pytest.approx(loss, rel=1e-12)
            hits = (outputs.argmax(1) == targets).sum().item()
            assert found.accuracy[row, column] == pytest.approx(100 * hits / len(targets))
    assert len(np.unique(found.loss)) == found.loss.size


def read_back(found, problem):
    """The two directions of a result as vectors."""
    return [
        problem.layout.flatten(
            [
                torch.from_numpy(found.directions[f"{d}direction/{k}"])
                for k in range(len(problem.layout.shapes))
            ]
        )
        for d in "xy"
    ]


def test_a_point_is_an_evaluation_exactly():
    problem = objective()
    found = surface.compute(problem, GRID)
    dx, dy = read_back(found, problem)
    for row, y in enumerate(GRID.y.coordinates):
        for column, x in enumerate(GRID.x.coordinates):
            theta = torch.add(torch.add(problem.theta, dy, alpha=float(y)), dx, alpha=float(x))
            value = problem.evaluate(theta)
            assert found.loss[row, column] == value.loss
            assert found.accuracy[row, column] == value.accuracy


def test_the_row_through_the_origin_is_the_line_along_x():
    problem = objective()
    plane = surface.compute(problem, GRID)
    along = line.compute(problem, line.Settings(x=GRID.x, seed=GRID.seed))
    np.testing.assert_array_equal(plane.loss[Y0], along.loss)
    np.testing.assert_array_equal(plane.accuracy[Y0], along.accuracy)


def test_along_any_direction_a_linear_regression_is_a_parabola():
    case = BY_NAME["linear regression"]
    problem = objective_of(case, torch.float64)
    found = surface.compute(problem, replace(GRID, policy="all"))
    vectors = read_back(found, problem)
    gradient, hessian = case.gradient(), case.hessian()
    xs, ys = np.meshgrid(GRID.x.coordinates, GRID.y.coordinates)
    expected = np.full(xs.shape, problem.loss())
    for moved, vector in zip((xs, ys), vectors, strict=True):
        expected += moved * (gradient @ vector).item()
        expected += 0.5 * moved**2 * (vector @ hessian @ vector).item()
    expected += xs * ys * (vectors[0] @ hessian @ vectors[1]).item()
    np.testing.assert_allclose(found.loss, expected, rtol=1e-12)
    assert np.isnan(found.accuracy).all()


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
    case = BY_NAME["resnet with batch norm"]
    problem = objective_of(case, torch.float32)
    before = [buffer.clone() for buffer in problem.module.buffers()]
    found = surface.compute(problem, replace(GRID, policy="all"))
    assert np.isfinite(found.loss).all()
    assert all(map(torch.equal, problem.module.buffers(), before))


# --------------------------------------------------------------------- what is not finite


class Fragile(nn.Module):
    """nan where the weight is negative, inf where it is more than 1.4."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.5]]))

    def forward(self, x):
        return x * self.weight.sqrt() + 1 / (1.4 - self.weight).clamp(min=0)


def test_losses_that_are_not_finite_are_recorded_as_they_are(tmp_path):
    data = torch.randn(5, 1), torch.randn(5, 1)
    problem = Objective(Fragile(), data, F.mse_loss, device="cpu", dtype=torch.float64)
    settings = Settings(x=Axis(-2, 3, 21), y=Axis(-2, 2, 17), normalize="none")
    found = surface.compute(problem, settings)
    dx, dy = (found.directions[f"{d}direction/0"].item() for d in "xy")
    xs, ys = np.meshgrid(settings.x.coordinates, settings.y.coordinates)
    weights = 0.5 + xs * dx + ys * dy
    assert np.array_equal(np.isnan(found.loss), weights < 0)
    assert np.isnan(found.loss).any()
    large = weights > 1.4
    assert large.any()
    assert np.array_equal(np.isposinf(found.loss), large)
    assert np.isfinite(found.loss).any()
    found.save(tmp_path / "surface.h5")
    np.testing.assert_array_equal(Surface.load(tmp_path / "surface.h5").loss, found.loss)
    headline = found.headline()
    finite = found.loss[np.isfinite(found.loss)]
    assert headline["not_finite"] == found.loss.size - finite.size
    assert headline["min_loss"] == finite.min()
    assert headline["max_loss"] == finite.max()
    assert headline["mean_loss"] == finite.mean()
    for page in surface.draw([found, found]).values():
        assert all(coloured(page).values())


def test_a_surface_without_one_finite_loss():
    before = result("surface")
    empty = having_loss(before, np.full_like(before.loss, np.nan))
    headline = empty.headline()
    assert headline["not_finite"] == empty.loss.size
    assert np.isnan([headline["min_loss"], headline["max_loss"], headline["mean_loss"]]).all()
    for page in surface.draw([empty, before]).values():
        render(page)
    surface.tabulate([empty])


# ----------------------------------------------------------------------------- directions


def test_the_directions_of_a_surface_make_the_same_surface_again(tmp_path):
    problem, path = objective(), tmp_path / "surface.h5"
    first = surface.compute(problem, GRID)
    first.save(path)
    again = surface.compute(problem, replace(GRID, directions=str(path), seed=99, normalize="none"))
    np.testing.assert_array_equal(again.loss, first.loss)
    np.testing.assert_array_equal(again.accuracy, first.accuracy)
    assert again.direction_cosine == first.direction_cosine
    assert again.directions.keys() == first.directions.keys()
    for name, values in first.directions.items():
        np.testing.assert_array_equal(again.directions[name], values)


def test_two_networks_can_share_a_plane(tmp_path):
    path = tmp_path / "surface.h5"
    surface.compute(objective(), GRID).save(path)
    other = surface.compute(objective(seed=1), replace(GRID, directions=str(path)))
    expected = read_directions(path, objective().layout, objective().module)
    found = [other.directions[f"xdirection/{k}"].ravel() for k in range(6)]
    np.testing.assert_array_equal(np.concatenate(found), expected[0].vector)


def test_a_line_has_no_second_direction(tmp_path):
    path = tmp_path / "line.h5"
    line.compute(objective(), line.Settings(x=GRID.x)).save(path)
    with pytest.raises(InputError, match=r"line\.h5 holds one direction; a surface needs two"):
        surface.compute(objective(), replace(GRID, directions=str(path)))


def test_directions_of_another_network_are_refused(tmp_path):
    path = tmp_path / "surface.h5"
    surface.compute(objective(), GRID).save(path)
    other = objective_of(BY_NAME["linear regression"], torch.float32)
    with pytest.raises(InputError, match="the same architecture"):
        surface.compute(other, replace(GRID, directions=str(path)))


def test_a_seed_means_one_plane():
    one, again = (surface.compute(objective(), GRID) for _ in range(2))
    np.testing.assert_array_equal(one.loss, again.loss)
    other = surface.compute(objective(), replace(GRID, seed=5))
    assert not np.array_equal(one.loss, other.loss)
    assert other.loss[Y0, X0] == one.loss[Y0, X0]


# ------------------------------------------------------------------------------ the result


def test_the_file_is_that_of_the_original_tool(tmp_path):
    problem = objective(split="test")
    found = surface.compute(problem, GRID)
    found.save(tmp_path / "surface.h5")
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
    found = surface.compute(problem, GRID)
    assert found.label == "a label"
    inputs, targets = samples()
    losses = F.cross_entropy(network()(inputs), targets, reduction="none").double()
    headline = found.headline()
    assert headline["split"] == "test"
    assert headline["loss"] == pytest.approx(losses.mean().item(), rel=1e-6)
    assert headline["loss_stderr"] == pytest.approx(losses.std().item() / 5, rel=1e-6)
    assert headline["accuracy"] == problem.evaluate().accuracy
    assert headline["min_loss"] == found.loss.min()
    assert headline["max_loss"] == found.loss.max()
    assert headline["mean_loss"] == pytest.approx(found.loss.mean(), rel=1e-12)
    assert headline["not_finite"] == 0
    x, y = read_back(found, problem)
    assert headline["direction_cosine"] == pytest.approx(cosine(x, y), rel=1e-6)
    assert abs(headline["direction_cosine"]) < 0.5


def test_a_network_without_a_name_can_be_measured():
    problem = Objective(network(), samples(), device="cpu")
    found = surface.compute(problem, GRID)
    assert (found.label, found.split) == ("", "train")


# -------------------------------------------------------------------------------- pictures


def test_one_scale_for_all():
    one, other = result("surface", 0), result("surface", 1)
    scale, levels = shared_scale([one.loss, other.loss])
    both = np.concatenate([one.loss, other.loss])
    assert (levels[0], levels[-1]) == (scale.vmin, scale.vmax) == (both.min(), both.max())
    assert (np.diff(levels) > 0).all()


@pytest.mark.parametrize(
    ("low", "high", "logarithmic"),
    [(1.0, 9.0, False), (1.0, 11.0, True), (-1.0, 100.0, False), (0.0, 5.0, False)],
)
def test_the_scale_is_logarithmic_where_the_losses_ask_for_it(low, high, logarithmic):
    one = having_loss(result("surface"), np.linspace(low, high, 24).reshape(6, 4))
    scale, levels = shared_scale([one.loss])
    ratios, steps = levels[1:] / np.where(levels[:-1], levels[:-1], 1), np.diff(levels)
    assert np.allclose(ratios, ratios[0]) == logarithmic
    assert np.allclose(steps, steps[0]) != logarithmic
    assert scale(low) == 0
    assert scale(high) == 1


def test_infinities_do_not_set_the_scale():
    loss = np.array([[1.0, np.inf], [np.nan, 2.0]])
    one = having_loss(result("surface"), loss)
    assert shared_scale([one.loss])[0].vmax == 2
    assert masked(loss).mask.tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize(
    "change",
    [
        lambda loss: np.full_like(loss, 1.5),
        lambda loss: 0 * loss,
        lambda loss: loss - 5,
        lambda loss: 1 + 1e-9 * loss,
        lambda loss: np.exp(20 * loss),
        lambda loss: 1e30 * loss,
        lambda loss: np.where(loss > np.median(loss), np.inf, loss),
        lambda loss: np.where(loss == loss.min(), loss, np.nan),
    ],
    ids=["constant", "zero", "negative", "flat", "steep", "huge", "half infinite", "one point"],
)
def test_every_surface_can_be_drawn(change):
    before = result("surface")
    changed = having_loss(before, change(before.loss))
    for page in surface.draw([changed]).values():
        render(page)
    render(contours([before, changed]))


def test_points_that_are_not_finite_are_grey():
    before = result("surface")
    loss = before.loss.copy()
    loss[:3] = np.nan
    page = contours([having_loss(before, loss)])
    picture = render(page)
    (panel, _) = panels(page)
    box = picture[panel]
    height, width = box.shape[:2]
    grey = np.abs(box.astype(int) - round(0.85 * 255)).max(-1) <= 2
    assert grey[int(0.7 * height) : int(0.95 * height), : width // 2].mean() > 0.9
    assert grey[: int(0.3 * height)].mean() < 0.05


def test_x_is_horizontal_and_y_is_vertical():
    square = Settings(x=Axis(-1, 1, 9), y=Axis(-1, 1, 9))
    xs, ys = np.meshgrid(square.x.coordinates, square.y.coordinates)
    for steep, axis in ((xs, 1), (ys, 0)):
        axis_values = square.x.coordinates
        one = having_loss(result("surface"), 1 + (steep + 1) ** 2)
        one = replace(one, x=axis_values, y=axis_values, settings=square)
        page = contours([one])
        picture = render(page)
        box = picture[panels(page)[0]].astype(float)
        height, width = box.shape[:2]
        inner = box[height // 8 : -height // 8, width // 8 : -width // 8].sum(-1)
        along, across = inner.std(axis=axis).mean(), inner.std(axis=1 - axis).mean()
        assert along > 5 * across
        # Brighter is more: to the right, and to the top, which is the first row of a picture.
        ends = inner.mean(axis=1 - axis)
        assert (ends[-1] > ends[0]) == (axis == 1)
