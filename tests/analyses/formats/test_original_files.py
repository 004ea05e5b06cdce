"""Files as plot_surface.py of the original tool leaves them, written here with nothing but h5py."""

import json
from itertools import pairwise

import h5py
import numpy as np
import pytest
import torch

from analyses import surface
from analyses.catalog import known_analyses
from analyses.drawing.pictures import Picture
from analyses.formats.original_files import count_directions
from analyses.line.result import Line
from analyses.surface.result import Surface
from landscape.errors import InputError
from tests.analyses.problems import result
from tests.commands import content
from tests.profile import IS_FULL


def read_original(path, label):
    """The result of the analysis that reads the file, which has to be exactly one."""
    results = [analysis.read_foreign(path, label) for analysis in known_analyses().values()]
    (result,) = [result for result in results if result is not None]
    return result


def loss_at(x, y=0.0):
    return 1 + (x - 0.25) ** 2 + 3 * y**2 + x * y


def write(path, xs, ys=None, *, finished=None, splits=("train",), **more):
    """Allocate and fill as the original does.

    Its arrays have the shape (nx, ny) and are -1; ``vals.ravel()[k]`` is the k-th point of
    ``meshgrid(x, y)`` raveled.
    """
    shape = (len(xs),) if ys is None else (len(xs), len(ys))
    points = (xs, np.zeros_like(xs)) if ys is None else [m.ravel() for m in np.meshgrid(xs, ys)]
    with h5py.File(path, "w") as file:
        file["dir_file"] = "model.pt_weights_xignore=biasbn_xnorm=filter.h5"
        file["xcoordinates"] = xs
        if ys is not None:
            file["ycoordinates"] = ys
        for split in splits:
            losses, accuracies = -np.ones(shape), -np.ones(shape)
            for k in range(losses.size if finished is None else finished):
                x, y = (coordinates[k] for coordinates in points)
                losses.ravel()[k] = loss_at(x, y) + (split == "test")
                accuracies.ravel()[k] = 50 + 10 * x + y
            file[f"{split}_loss"], file[f"{split}_acc"] = losses, accuracies
        for name, values in more.items():
            file[name] = values
    return path


XS, YS = np.linspace(-1, 1, 5), np.linspace(-0.5, 1, 7)
SHAPES = {"square": (XS, np.linspace(-1, 1, 5)), "wide": (YS, XS), "high": (XS, YS)}


@pytest.mark.parametrize("name", SHAPES)
def test_a_surface_is_by_row_and_column(tmp_path, name):
    xs, ys = SHAPES[name]
    path = write(tmp_path / "old.h5", xs, ys)
    original = read_original(path, "old")
    assert isinstance(original, Surface)
    assert (original.label, original.split, original.splits) == ("old", "train", ["train"])
    np.testing.assert_array_equal(original.x, xs)
    np.testing.assert_array_equal(original.y, ys)
    grid_x, grid_y = np.meshgrid(xs, ys)
    np.testing.assert_array_equal(original.loss, loss_at(grid_x, grid_y))
    np.testing.assert_array_equal(original.accuracy, 50 + 10 * grid_x + grid_y)
    assert original.measured.all()
    assert original.loss_at_origin == loss_at(0.0, 0.0)
    with h5py.File(path) as file:
        scrambled = file["train_loss"][()]
    assert scrambled.shape == (len(xs), len(ys))
    if len(xs) != len(ys):  # what its own plotters would show
        assert not np.array_equal(scrambled.T, original.loss)


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_not_finished_is_nan(tmp_path, name):
    xs, ys = SHAPES[name]
    original = read_original(write(tmp_path / "old.h5", xs, ys, finished=9), "old")
    expected = np.arange(xs.size * ys.size).reshape(len(ys), len(xs)) < 9
    assert np.array_equal(np.isfinite(original.loss), expected)
    assert np.array_equal(np.isfinite(original.accuracy), expected)
    assert np.array_equal(original.measured, expected)
    assert original.headline()["measured"] == 9
    assert original.headline()["not_finite"] == xs.size * ys.size - 9
    assert np.isnan(original.loss_at_origin)
    surface.tabulate([original])


def test_a_line(tmp_path):
    original = read_original(write(tmp_path / "old.h5", XS, finished=4), "old")
    assert isinstance(original, Line)
    assert original.y is None
    np.testing.assert_array_equal(original.loss, [*loss_at(XS[:4]), np.nan])
    assert original.loss_at_origin == loss_at(0.0)


def test_both_splits(tmp_path):
    original = read_original(write(tmp_path / "old.h5", XS, YS, splits=("test", "train")), "old")
    assert original.splits == ["train", "test"]
    np.testing.assert_allclose(original.values["test_loss"], original.loss + 1)
    alone = read_original(write(tmp_path / "test.h5", XS, YS, splits=("test",)), "test")
    assert alone.split == "test"


def test_without_the_origin_nothing_is_said_of_the_network(tmp_path):
    original = read_original(write(tmp_path / "old.h5", np.array([1.0, 2.0]), YS), "old")
    assert original.at_origin == {}
    assert np.isnan(original.loss_at_origin)
    surface.tabulate([original])


def test_eigenvalues(tmp_path):
    smallest = -np.arange(35.0).reshape(5, 7)
    smallest.ravel()[3] = 1.0  # not yet there
    largest = np.arange(35.0).reshape(5, 7) + 5
    path = write(tmp_path / "old.h5", XS, YS, min_eig=smallest, max_eig=largest)
    original = read_original(path, "old")
    expected = smallest.ravel().reshape(7, 5)
    expected[0, 3] = np.nan
    np.testing.assert_array_equal(original.values["min_eig"], expected)
    np.testing.assert_array_equal(original.values["max_eig"], largest.ravel().reshape(7, 5))


def test_a_file_of_this_project_is_no_original(tmp_path):
    result("surface").save(tmp_path / "ours.h5")
    assert not count_directions(tmp_path / "ours.h5")
    assert count_directions(write(tmp_path / "theirs.h5", XS, YS))
    (tmp_path / "text.h5").write_text("nothing")
    assert not count_directions(tmp_path / "text.h5")
    assert not count_directions(tmp_path / "absent.h5")


def test_a_file_without_losses(tmp_path):
    path = write(tmp_path / "empty.h5", XS, YS, splits=())
    with pytest.raises(InputError, match=r"empty\.h5 has coordinates but no train_loss"):
        read_original(path, "empty")


# -------------------------------------------------------------------------- the command line


@pytest.fixture
def without_model(monkeypatch):
    """Nothing may be read as a checkpoint."""

    def fail(*_words, **_options):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("analyses.command.reader.load_checkpoint", fail)
    monkeypatch.setattr(torch, "load", fail)


@pytest.mark.usefixtures("without_model")
@pytest.mark.parametrize("name", SHAPES if IS_FULL else ["wide"])
def test_an_old_surface_is_drawn_without_its_model(done, tmp_path, name):
    old = write(tmp_path / "old.h5", *SHAPES[name])
    before = old.read_bytes()
    out, err = done("surface", old, "--output-dir", tmp_path / "D")
    pictures = ("surface.png", "surface_lines.png", "surface_3d.png", "surface.html")
    pages = (*pictures, "surface.json", "surface.csv", "surface.md")
    assert out.splitlines() == [str(tmp_path / "D" / page) for page in pages]
    assert set(content(tmp_path / "D")) == set(pages)
    assert old.read_bytes() == before
    assert "old" in (tmp_path / "D" / "surface.html").read_text()
    assert err == ""


@pytest.mark.usefixtures("without_model")
def test_an_unfinished_surface_and_a_line_are_drawn(done, tmp_path):
    old = write(tmp_path / "half.h5", XS, YS, finished=20)
    done("surface", old, f"again={old}", "--output-dir", tmp_path / "D", "--format", "png,svg")
    assert "again" in (tmp_path / "D" / "surface.svg").read_text()
    line = write(tmp_path / "line.h5", XS, splits=("train", "test"))
    done("line", line, "--output-dir", tmp_path / "L")
    assert (tmp_path / "L" / "line.png").is_file()


@pytest.mark.usefixtures("without_model")
def test_old_and_new_surfaces_share_a_picture(done, tmp_path):
    old = write(tmp_path / "old.h5", XS, YS)
    result("surface").save(tmp_path / "ours.h5")
    words = ("--output-dir", tmp_path / "D", "--format", "svg")
    done("surface", f"<theirs>={old}", tmp_path / "ours.h5", *words)
    text = (tmp_path / "D" / "surface.svg").read_text()
    places = [text.index(label) for label in ("&lt;theirs&gt;", "plain")]
    assert all(first < second for first, second in pairwise(places))


def test_a_report_is_made_of_result_files(done, tmp_path, monkeypatch):
    monkeypatch.setattr(Picture, "render", lambda *_: b"")  # only numbers are looked at
    old = write(tmp_path / "old.h5", XS, YS)
    for name in ("hessian", "linearity"):
        result(name).save(tmp_path / f"{name}.h5")
    words = (tmp_path / "hessian.h5", tmp_path / "linearity.h5", f"theirs={old}")
    done("report", *words, "--output-dir", tmp_path / "D")
    content = json.loads((tmp_path / "D" / "report.json").read_text())
    assert content["hessian"].keys() == content["linearity"].keys() == {"plain"}
    assert content["surface"].keys() == {"theirs"}
    row = content["paper"]["tables"]["Table 5: sharpness and linearity"]["missing rate R, %"]
    (run,) = row["plain"]["runs"]
    assert run["value"] == 100 * content["linearity"]["plain"]["missing_rate"]
    assert row["theirs"]["runs"] == []
    lacking = {row["analysis"]: row["labels"] for row in content["paper"]["missing"]}
    assert lacking["linearity"] == ["theirs"]


def test_what_can_not_be_drawn_is_one_line(refused, tmp_path):
    words = ("--output-dir", tmp_path / "D")
    old = write(tmp_path / "old.h5", XS, YS)
    assert "old.h5 holds a surface, not a line" in refused("line", old, *words)
    line = write(tmp_path / "line.h5", XS)
    assert "line.h5 holds a line, not a surface" in refused("surface", line, *words)
    twice = refused("report", f"a={old}", f"a={old}", *words)
    assert "old.h5 is given twice as 'a'" in twice
    result("line").save(tmp_path / "ours.h5")
    assert "ours.h5 holds line, not surface" in refused("surface", tmp_path / "ours.h5", *words)
    empty = write(tmp_path / "empty.h5", XS, YS, splits=())
    assert "no train_loss or test_loss" in refused("surface", empty, *words)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(old.read_bytes()[:700])
    assert "cut.h5" in refused("surface", cut, *words)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weights"] = np.zeros(3)
    assert "other.h5" in refused("surface", tmp_path / "other.h5", *words)
