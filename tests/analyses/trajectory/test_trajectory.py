import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from analyses import trajectory
from analyses.drawing.style import styled
from analyses.slices.directions import make_directions
from analyses.slices.grid import Axis
from analyses.trajectory.result import Trajectory
from analyses.trajectory.settings import Settings
from landscape import cli as train_cli
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import network, objective, samples
from tests.analyses.written import arrays, headline
from tests.commands import content, status_of
from tests.oracles.cases import BY_NAME

EPOCHS = 12  # so that the order of numbers is not that of letters
GRID = {"x": Axis(-1.0, 2.0, 4), "y": Axis(-0.5, 1.0, 7)}


def walk(start, count=EPOCHS):
    """Networks along a noisy way, from ``start``, with statistics that move too."""
    source = torch.Generator().manual_seed(5)
    shape = {name: t for name, t in start.state_dict().items() if t.is_floating_point()}
    one, other = (
        {name: torch.randn(t.shape, generator=source).to(t) for name, t in shape.items()}
        for _ in range(2)
    )
    networks = []
    for k in range(count):
        model = copy.deepcopy(start)
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                noise = 0.01 * torch.randn(tensor.shape, generator=source).to(tensor)
                step = 0.03 * (k * one[name] + 3 * np.sin(k / 3) * other[name]) + noise
                tensor += step.abs() if name.endswith("running_var") else step
        networks.append(model)
    return networks


def save(networks, folder):
    """As the original tool keeps them; returns the pattern."""
    for k, model in enumerate(networks):
        torch.save(model.state_dict(), folder / f"model_{k}.pt")
    return str(folder / "model_*.pt")


def vector(model, problem):
    parameters = dict(model.named_parameters())
    names = problem.layout.names
    return np.concatenate([parameters[n].detach().double().numpy().ravel() for n in names])


def in_double(model):
    return Objective(
        model, samples(), batch_size=10, device="cpu", dtype=torch.float64,
        origin={"label": "walk", "split": "train"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The networks of a walk, the objective of the last, and the trajectory."""
    networks = walk(network().double())
    pattern = save(networks, tmp_path_factory.mktemp("epochs"))
    problem = in_double(networks[-1])
    return networks, problem, trajectory.compute(problem, Settings(epochs=pattern, **GRID))


def basis(found, problem):
    """The two directions of a result, of shape (2, P)."""
    count = range(len(problem.layout.shapes))
    return np.array(
        [
            np.concatenate([found.directions[f"{d}direction/{k}"].ravel() for k in count])
            for d in "xy"
        ]
    )


# --------------------------------------------------------------------------------- the plane


def test_the_plane_is_that_of_the_principal_components(measured):
    networks, problem, found = measured
    path = np.array([vector(model, problem) for model in networks])
    offsets = path - path[-1]
    _, sizes, components = np.linalg.svd(offsets - offsets.mean(0), full_matrices=False)
    directions = basis(found, problem)
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(np.abs((directions * components[:2]).sum(1)), 1, rtol=1e-10)
    shares = sizes**2 / (sizes**2).sum()
    np.testing.assert_allclose(found.path["explained"], shares, atol=1e-12)
    assert found.path["explained"].sum() == pytest.approx(1)
    assert 0.8 < found.path["explained"][:2].sum() < 1

    coordinates = offsets @ directions.T
    np.testing.assert_allclose(found.path["x"], coordinates[:, 0], atol=1e-10)
    np.testing.assert_allclose(found.path["y"], coordinates[:, 1], atol=1e-10)
    rest = np.linalg.norm(offsets - coordinates @ directions, axis=1)
    np.testing.assert_allclose(found.path["distance"], rest, atol=1e-10)
    assert found.path["epoch"].tolist() == list(range(EPOCHS))


def test_the_path_ends_at_the_network_itself(measured):
    networks, problem, found = measured
    assert (found.path["x"][-1], found.path["y"][-1], found.path["distance"][-1]) == (0, 0, 0)
    assert found.path["loss"][-1] == found.path["plane_loss"][-1] == found.loss_at_origin
    assert found.loss_at_origin == problem.loss()
    assert found.path["x"][0] > 0
    assert found.path["y"][0] > 0
    assert found.loss[2, 1] == found.loss_at_origin  # (0, 0) of the grid


def test_the_losses_of_the_path_are_those_of_the_saved_networks(measured):
    networks, _, found = measured
    expected = [in_double(model).loss() for model in networks]
    np.testing.assert_array_equal(found.path["loss"], expected)
    assert np.ptp(expected) > 0.1


def test_the_losses_on_the_plane_are_evaluations_there(measured):
    _, problem, found = measured
    x, y = map(torch.from_numpy, basis(found, problem))
    for a, b, loss in zip(*(found.path[n] for n in ("x", "y", "plane_loss")), strict=True):
        expected = problem.loss(problem.theta + a * x + b * y)
        assert loss == pytest.approx(expected, rel=1e-13)
    assert np.abs(found.path["loss"] - found.path["plane_loss"])[:-1].min() > 0


def test_the_grid_is_that_of_a_surface(measured):
    _, problem, found = measured
    x, y = map(torch.from_numpy, basis(found, problem))
    assert found.loss.shape == found.accuracy.shape == (7, 4)
    for row, b in enumerate(GRID["y"].coordinates):
        for column, a in enumerate(GRID["x"].coordinates):
            expected = problem.loss(problem.theta + a * x + b * y)
            assert found.loss[row, column] == pytest.approx(expected, rel=1e-13)


def test_saved_networks_keep_their_own_statistics(tmp_path):
    case = BY_NAME["resnet with batch norm"]
    networks = walk(case.model(), 4)

    def problem(model):
        return Objective(model, case.data, device="cpu", dtype=torch.float64, batch_size=3)

    whole = problem(networks[-1])
    before = [buffer.clone() for buffer in whole.module.buffers()]
    found = trajectory.compute(whole, Settings(epochs=save(networks, tmp_path), **GRID))
    np.testing.assert_array_equal(found.path["loss"], [problem(m).loss() for m in networks])
    # On the plane the statistics are those of the network at its origin.
    for k, model in enumerate(networks):
        hybrid = problem(model)
        hybrid.live_statistics.copy_(whole.statistics)
        assert found.path["loss"][k] != pytest.approx(hybrid.loss(), rel=1e-6) or k == 3
    x, y = map(torch.from_numpy, basis(found, whole))
    at = whole.theta + found.path["x"][0] * x + found.path["y"][0] * y
    assert found.path["plane_loss"][0] == pytest.approx(whole.loss(at), rel=1e-12)
    assert all(map(torch.equal, whole.module.buffers(), before))


def test_another_plane_is_projected_upon(tmp_path):
    networks = walk(network().double())
    problem = in_double(networks[-1])
    how = {"directions": "random", "normalize": "weight", "policy": "all", "seed": 3}
    found = trajectory.compute(problem, Settings(epochs=save(networks, tmp_path), **GRID, **how))
    drawn = make_directions(problem, Settings(**how), 2)
    plane = np.array([direction.vector.numpy() for direction in drawn])
    assert abs(plane[0] @ plane[1]) > 1e-3  # neither orthogonal nor of unit length
    offsets = np.array([vector(model, problem) for model in networks]) - problem.theta.numpy()
    solved, *_ = np.linalg.lstsq(plane.T, offsets.T, rcond=None)
    np.testing.assert_allclose(found.path["x"], solved[0], atol=1e-10)
    np.testing.assert_allclose(found.path["y"], solved[1], atol=1e-10)
    rest = np.linalg.norm(offsets - solved.T @ plane, axis=1)
    np.testing.assert_allclose(found.path["distance"], rest, atol=1e-10)
    page = trajectory.draw([found])["trajectory"]
    assert "variance" not in page.axes[0].get_xlabel()


def test_the_grid_covers_the_path_and_the_network(tmp_path):
    networks = walk(network())
    pattern = save(networks, tmp_path)
    found = trajectory.compute(objective(seed=0), Settings(epochs=pattern, points=5))
    assert found.loss.shape == (5, 5)
    for axis, name in ((found.x, "x"), (found.y, "y")):
        values = np.append(found.path[name], 0.0)
        reach = np.ptp(values)
        assert axis[0] == pytest.approx(values.min() - 0.2 * reach)
        assert axis[-1] == pytest.approx(values.max() + 0.2 * reach)


# ------------------------------------------------------------------------- the saved epochs


def test_epochs_are_in_the_order_of_their_numbers(tmp_path):
    networks = walk(network())
    for number in (5, 30, 100, 1000):
        torch.save(networks[number % 7].state_dict(), tmp_path / f"v2_model_{number}.t7")
    settings = Settings(epochs=str(tmp_path / "v2_model_*.t7"), **GRID)
    found = trajectory.compute(objective(), settings)
    assert found.path["epoch"].tolist() == [5, 30, 100, 1000]
    expected = [Objective(networks[n % 7], samples(), device="cpu", batch_size=10).loss()
                for n in (5, 30, 100, 1000)]  # fmt: skip
    np.testing.assert_array_equal(found.path["loss"], expected)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_files(tmp_path, count):
    pattern = save(walk(network(), count), tmp_path)
    with pytest.raises(InputError, match=f"matches {count} files; a plane needs 3"):
        trajectory.compute(objective(), Settings(epochs=pattern))


def test_a_model_of_no_run_has_no_epochs():
    with pytest.raises(NotMeasurableError, match="has 0 saved epochs, a plane needs 3"):
        trajectory.compute(objective())


def test_what_spans_no_plane(tmp_path):
    start = network()
    for k in range(4):
        model = copy.deepcopy(start)
        with torch.no_grad():
            model[0].weight += 0.5 * k
        torch.save(model.state_dict(), tmp_path / f"model_{k}.pt")
    with pytest.raises(InputError, match="the saved epochs lie on a line; they span no plane"):
        trajectory.compute(in_double(start), Settings(epochs=str(tmp_path / "model_*.pt")))


def test_an_epoch_of_another_network_is_named(tmp_path):
    pattern = save(walk(network(), 4), tmp_path)
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "model_2.pt")
    with pytest.raises(InputError, match=r"model_2\.pt does not fit the model"):
        trajectory.compute(objective(), Settings(epochs=pattern))


# ------------------------------------------------------------------- the result and pictures


def test_it_comes_back_from_its_file(measured, tmp_path):
    _, _, found = measured
    found.save(tmp_path / "trajectory.h5")
    back = Trajectory.load(tmp_path / "trajectory.h5")
    assert back.settings == found.settings
    assert back.path.keys() == found.path.keys()
    for name, values in found.path.items():
        np.testing.assert_array_equal(back.path[name], values)
    stored = arrays(tmp_path / "trajectory.h5")
    # The names of the original tool's projections.
    np.testing.assert_array_equal(stored["proj_xcoord"], found.path["x"])
    np.testing.assert_array_equal(stored["proj_ycoord"], found.path["y"])


def test_headline_and_row(measured):
    _, _, found = measured
    said = found.headline()
    assert said["loss"] == found.loss_at_origin
    assert said["largest_distance"] == found.path["distance"].max()
    np.testing.assert_array_equal(said["path_loss"], found.path["loss"])
    (row,) = trajectory.tabulate([found])[""]
    assert row["checkpoint"] == "walk"
    assert row["epochs"] == str(EPOCHS)
    first, second = (100 * share for share in found.path["explained"][:2])
    assert row["variance explained by x and y, %"] == f"{first:.1f} and {second:.1f}"


@pytest.mark.parametrize("count", [1, 3])
def test_pictures_are_not_blank(measured, count):
    _, _, found = measured
    with styled():
        page = trajectory.draw([found] * count)["trajectory"]
        assert min(coloured(page).values()) > 50
    (line, _) = page.axes[0].get_lines()
    np.testing.assert_array_equal(line.get_xdata(), found.path["x"])
    np.testing.assert_array_equal(line.get_ydata(), found.path["y"])
    shares = found.path["explained"]
    assert f"{100 * shares[0]:.1f}% of the variance" in page.axes[0].get_xlabel()


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_every_trajectory_can_be_drawn(measured, value):
    _, _, found = measured
    loss = found.loss.copy()
    loss[:3] = value
    path = {**found.path, "loss": np.where(found.path["epoch"] < 3, value, found.path["loss"])}
    changed = replace(found, values={**found.values, "train_loss": loss}, path=path)
    render(trajectory.draw([changed, found])["trajectory"])
    trajectory.tabulate([changed])


# -------------------------------------------------------------------------- the command line

SMALL = ("--samples", "48", "--points", "4")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run whose epochs were kept."""
    run = tmp_path_factory.mktemp("kept") / "run"
    words = ("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "--data", "digits")
    words = (*words, "--epochs", "3", "--save-every", "1", "-b", "256", "--lr", "0.01", "--quiet")
    assert status_of(train_cli.main, *words, "--output-dir", run) == 0
    return run


def test_the_trajectory_of_a_run(done, kept, tmp_path):
    out, _ = done("trajectory", kept, *SMALL, "--output-dir", tmp_path)
    names = ("run/trajectory.h5", "run/trajectory.json", "trajectory.png", "trajectory.html")
    names = (*names, "trajectory.json", "trajectory.md")
    assert out.splitlines() == [str(tmp_path / name) for name in names]
    said = headline(tmp_path, "run", "trajectory")
    assert said["epochs"] == [0, 1, 2, 3]
    epochs = [f"{k}={kept / 'epochs' / f'000{k}.pt'}" for k in range(4)]
    words = ("--samples", "48", "--x=-1:1:3", "--format", "none", "--output-dir", tmp_path / "own")
    done("line", *epochs, *words, "--model", "vit-tiny", "--model-args", "depth=1", "dim=16")
    own = [headline(tmp_path / "own", str(k), "line")["loss"] for k in range(4)]
    np.testing.assert_allclose(said["path_loss"], own, rtol=1e-6)
    assert arrays(tmp_path / "run" / "trajectory.h5")["train_loss"].shape == (4, 4)
    _, err = done("trajectory", kept, *SMALL, "--output-dir", tmp_path)
    assert "run: trajectory is already measured" in err


def test_files_of_the_original_tool(done, kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for k in range(4):
        saved = torch.load(kept / "epochs" / f"000{k}.pt", weights_only=True)
        torch.save({"acc": 1.0, "epoch": 5 * k, "state_dict": saved["model"]}, f"model_{5 * k}.pt")
    done("trajectory", kept, *SMALL, "--output-dir", "own")
    done("trajectory", kept, *SMALL, "--epochs", "model_*.pt", "--output-dir", "files")
    own, files = (headline(tmp_path / name, "run", "trajectory") for name in ("own", "files"))
    assert files["epochs"] == [0, 5, 10, 15]
    assert files["path_loss"] == own["path_loss"]
    assert files["plane_loss"] == own["plane_loss"]


def test_a_report_of_a_run_with_epochs_has_its_trajectory(done, kept, runs, tmp_path):
    words = ("--samples", "16", "--x=-1:1:3", "--y=-1:1:3", "--top", "1", "--probes", "0")
    words = (*words, "--only", "trajectory,norms", "--output-dir", tmp_path)
    _, err = done("report", kept, runs[0], *words)
    found = set(content(tmp_path))
    assert {"run/trajectory.h5", "trajectory.png"} <= found
    assert "plain/trajectory.h5" not in found
    assert "plain: no trajectory: " in err
    assert "Training trajectory" in (tmp_path / "report.html").read_text()


def test_too_few_epochs_are_one_line(refused, kept, runs, tmp_path):
    words = (*SMALL, "--output-dir", tmp_path / "figures")
    said = refused("trajectory", runs[0], *words)
    assert "has 0 saved epochs, a plane needs 3: train with --save-every 1" in said
    pattern = str(kept / "epochs" / "000[01].pt")
    said = refused("trajectory", kept, "--epochs", pattern, *words)
    assert f"--epochs {pattern!r} matches 2 files; a plane needs 3" in said
