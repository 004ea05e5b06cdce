"""Lines: their values, headline numbers, table and picture."""

import h5py
import numpy as np
import pytest
import torch

from analyses import line, surface
from analyses.line.result import Line
from analyses.line.settings import Settings
from analyses.slices.grid import Axis
from landscape.objective.objective import Objective
from tests.analyses.case_objectives import case_objective
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import having_loss, objective, result, results
from tests.oracles.cases import BY_NAME

AXIS = Axis(-1.0, 2.0, 7)
ORIGIN = 2


def vector(along, problem):
    count = len(problem.layout.shapes)
    tensors = [torch.from_numpy(along.directions[f"xdirection/{k}"]) for k in range(count)]
    return problem.layout.flatten(tensors)


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_origin_is_the_network_itself_exactly(name, dtype):
    problem = case_objective(name, dtype)
    along = line.compute(problem, Settings(x=AXIS))
    expected = problem.evaluate()
    assert along.loss[ORIGIN] == along.loss_at_origin == expected.loss
    np.testing.assert_array_equal(along.accuracy[ORIGIN], expected.accuracy)


@pytest.mark.parametrize("name", ["mixer", "resnet with batch norm", "mlp with frozen parameters"])
def test_every_point_is_the_network_moved_along_the_stored_direction(tmp_path, name):
    case = BY_NAME[name]
    along = line.compute(case_objective(name), Settings(x=AXIS, policy="all"))
    along.save(tmp_path / "line.h5")
    with h5py.File(tmp_path / "line.h5") as file:
        assert "ydirection" not in file
        group = file["xdirection"]
        direction = [torch.from_numpy(group[str(k)][()]) for k in range(len(group))]
        assert file["xcoordinates"][()].tolist() == [-1, -0.5, 0, 0.5, 1, 1.5, 2]
        assert file["train_loss"].shape == file["train_acc"].shape == (7,)
    inputs, targets = case.data
    for x, loss, accuracy in zip(np.linspace(-1, 2, 7), along.loss, along.accuracy, strict=True):
        model = case.model()
        moved = [p for p in model.parameters() if p.requires_grad]
        with torch.no_grad():
            for parameter, d in zip(moved, direction, strict=True):
                parameter += float(x) * d
            outputs = model(inputs)
        assert loss == pytest.approx(case.loss(outputs, targets).item(), rel=1e-12)
        hits = (outputs.argmax(1) == targets).double().mean().item()
        assert accuracy == pytest.approx(100 * hits)


def test_along_any_direction_a_linear_regression_is_a_parabola():
    case = BY_NAME["linear regression"]
    problem = case_objective(case.name)
    along = line.compute(problem, Settings(x=AXIS, policy="all"))
    d, xs = vector(along, problem), AXIS.coordinates
    slope = (case.gradient() @ d).item()
    curvature = (d @ case.hessian() @ d).item()
    expected = problem.loss() + slope * xs + 0.5 * curvature * xs**2
    np.testing.assert_allclose(along.loss, expected, rtol=1e-12)
    assert np.isnan(along.accuracy).all()


def test_the_directions_of_a_surface_can_be_followed(tmp_path):
    problem = objective()
    plane = surface.compute(problem, surface.Settings(x=AXIS, y=Axis(-1, 1, 3), seed=8))
    plane.save(tmp_path / "surface.h5")
    along = line.compute(problem, Settings(x=AXIS, directions=str(tmp_path / "surface.h5")))
    np.testing.assert_array_equal(along.loss, plane.loss[1])
    along.save(tmp_path / "line.h5")
    again = line.compute(problem, Settings(x=AXIS, directions=str(tmp_path / "line.h5"), seed=9))
    np.testing.assert_array_equal(again.loss, along.loss)


def test_non_finite_losses_are_recorded_unchanged():
    class Root(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.tensor([[0.5]]))

        def forward(self, x):
            return x * self.weight.sqrt()

    problem = Objective(
        Root(), (torch.randn(5, 1), torch.randn(5, 1)), torch.nn.functional.mse_loss, device="cpu"
    )
    along = line.compute(problem, Settings(x=Axis(-2, 2, 21), normalize="none"))
    weights = 0.5 + along.settings.x.coordinates * along.directions["xdirection/0"].item()
    assert np.array_equal(np.isnan(along.loss), weights < 0)
    assert 0 < np.isnan(along.loss).sum() < 21
    assert along.headline()["not_finite"] == np.isnan(along.loss).sum()


def test_headline():
    along = line.compute(objective("a label", split="test"), Settings(x=AXIS))
    assert (along.label, along.split) == ("a label", "test")
    headline = along.headline()
    expected = {
        "split": "test",
        "loss": along.loss_at_origin,
        "loss_stderr": objective().evaluate().loss_stderr,
        "loss_at_start": along.loss[0],
        "loss_at_end": along.loss[-1],
        "not_finite": 0,
        "points": len(along.x),
        "measured": len(along.x),
    }
    assert {name: headline[name] for name in expected} == expected


# -------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    "change",
    [
        lambda loss: np.full_like(loss, np.nan),
        lambda loss: np.where(loss > np.median(loss), np.inf, loss),
        lambda loss: np.full_like(loss, 2.0),
        lambda loss: 0 * loss,
        lambda loss: -loss,
        lambda loss: loss - np.median(loss),
        lambda loss: 1e200 * loss,
    ],
    ids=["nan", "half infinite", "constant", "zero", "negative", "both signs", "huge"],
)
def test_every_line_can_be_drawn(change):
    before = result("line")
    changed = having_loss(before, change(before.loss))
    for shown in ([changed], [before, changed]):
        render(line.draw(shown)["line"])


def test_the_network_itself_is_marked_in_the_picture():
    for axes in line.draw([result("line")])["line"].axes:
        marks = [curve.get_xdata() for curve in axes.get_lines() if curve.get_color() == "0.7"]
        assert marks == [[0.0, 0.0]]


def test_a_line_with_a_gap_is_not_blank():
    before = result("line")
    changed = having_loss(
        before, np.where(before.loss < np.median(before.loss), np.nan, before.loss)
    )
    assert coloured(line.draw([changed])["line"])[0] > 100


def test_lines_without_accuracies_can_be_drawn():
    before = result("line")
    changed = having_loss(before, before.loss, acc=np.full_like(before.loss, np.nan))
    pixels = coloured(line.draw([changed])["line"])
    assert pixels[0] > 100
    assert pixels[1] == 0


def test_the_curves_are_the_results():
    shown = results("line", 3)
    loss_axes, accuracy_axes = line.draw(shown)["line"].axes
    for place, shown_line in enumerate(shown):
        for axes, values in (
            (loss_axes, shown_line.loss),
            (accuracy_axes, shown_line.accuracy),
        ):
            curve = axes.get_lines()[place]
            np.testing.assert_array_equal(curve.get_xdata(), shown_line.settings.x.coordinates)
            np.testing.assert_array_equal(curve.get_ydata(), values)
    colours = {curve.get_color() for curve in loss_axes.get_lines()[:3]}
    assert len(colours) == 3


def test_a_table_row_for_each():
    rows = line.tabulate(results("line", 2))[""]
    assert [row["checkpoint"] for row in rows] == ["plain", "sam & co"]
    assert rows[0]["loss at -1"] == f"{result('line').loss[0]:.2f}"
    assert rows[0]["loss at 2"] == f"{result('line').loss[-1]:.2f}"


def test_the_result_is_a_line():
    assert isinstance(result("line"), Line)


def test_tables_hold_the_numbers_of_lines_of_other_ends_and_splits():
    first = line.compute(objective("a"), Settings(x=Axis(-1, 1, 3)))
    other = line.compute(objective("b", split="test"), Settings(x=Axis(-2, 3, 3)))
    for shown in ([first, other], [other, first]):
        rows = {row["checkpoint"]: row for row in line.tabulate(shown)[""]}
        assert list(rows["a"]) == list(rows["b"])
        assert len(rows["a"]) == 7
        assert rows["b"]["loss at -2"] == f"{other.loss[0]:.3g}"
        assert rows["b"]["loss at 3"] == f"{other.loss[-1]:.3g}"
        assert rows["b"]["loss at 1"] == rows["a"]["test loss at 0, ± sampling error"] == "–"
