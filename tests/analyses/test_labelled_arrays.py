"""Results of every analysis in pandas and xarray: values, coordinates, units, numbers and texts."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import analyses
from analyses.sharpness.result import Sharpness
from analyses.sharpness.settings import Settings as SharpnessSettings
from analyses.trajectory.result import Trajectory
from analyses.trajectory.settings import Settings as TrajectorySettings
from landscape.errors import InputError
from landscape.results.dimensions import coordinates_along
from landscape.results.result import Array
from tests.analyses.attention.problems import measure
from tests.analyses.problems import NAMES, result
from tests.profile import some

GALLERY = Path(__file__).parents[2] / "figures" / "gallery" / "vit"
EVERY = (*NAMES, "curves", "robustness", "sharpness", "trajectory", "attention")


def example(name):
    """A result of any analysis."""
    if name in NAMES:
        return result(name)
    if name == "sharpness":
        table = np.arange(24.0).reshape(2, 12)
        return Sharpness(table, label="a", settings=SharpnessSettings())
    if name == "trajectory":
        plane = vars(result("surface"))
        walked = ("epoch", "x", "y", "distance", "loss", "plane_loss", "explained")
        path = {key: np.arange(3.0) for key in walked}
        return Trajectory(**{**plane, "path": path, "settings": TrajectorySettings()})
    if name == "attention":
        return measure()
    return analyses.load(GALLERY / f"{name}.h5")


@pytest.mark.parametrize("name", EVERY)
def test_every_array_is_a_frame_or_a_row_of_scalars(name):
    pytest.importorskip("pandas")
    measured = example(name)
    frames = measured.to_pandas()
    scalars = frames.pop("scalars", None)
    count = 0 if scalars is None else len(scalars)
    for path, array in measured.arrays().items():
        values = np.asarray(array.values)
        if values.ndim == 0:
            assert scalars.loc[path, "value"] == values.item() or values.item() != values.item()
            assert scalars.loc[path, "unit"] == array.unit
            count -= 1
        elif path in frames:
            stored = frames[path].to_numpy()
            np.testing.assert_array_equal(stored.reshape(values.shape), values)
            assert frames[path].attrs["unit"] == array.unit
            names = [*frames[path].index.names, *frames[path].columns.names]
            assert names[: len(array.axes)] == list(array.axes)
        else:
            assert values.ndim > 2
            assert not array.axes  # of a direction
    assert count == 0


@pytest.mark.parametrize("name", EVERY)
def test_every_array_is_a_variable_with_units(name, tmp_path):
    pytest.importorskip("xarray")
    measured = example(name)
    dataset = measured.to_xarray()
    for path, array in measured.arrays().items():
        variable = dataset[path.replace("/", ".")]
        np.testing.assert_array_equal(variable.to_numpy(), np.asarray(array.values))
        if path.replace("/", ".") not in dataset.dims:
            assert variable.attrs.get("units", "") == array.unit
        assert len(variable.dims) == np.ndim(array.values)
        for dimension, axis in zip(variable.dims, array.axes, strict=False):
            assert axis in dimension
    assert dataset.attrs["analysis"] == name
    assert json.loads(dataset.attrs["provenance"])["device"] == measured.provenance.device


def test_a_surface_is_read_by_its_coordinates(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    plane = result("surface")
    dataset = plane.to_xarray()
    assert dataset["train_loss"].dims == ("y", "x")
    assert float(dataset["train_loss"].sel(x=0.0, y=0.25)) == plane.loss[3, 1]
    assert dataset["train_loss"].attrs["units"] == "nats"
    dataset.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with xarray.open_dataset(tmp_path / "x.nc", engine="h5netcdf") as stored:
        np.testing.assert_array_equal(stored["x"], plane.x)
        np.testing.assert_array_equal(stored["train_loss"], plane.loss)


@pytest.mark.parametrize("name", some(EVERY, 9))
def test_a_file_opens_in_xarray_as_the_result_does(name, tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    measured = example(name)
    path = tmp_path / "x.h5"
    measured.save(path)
    expected = measured.to_xarray()
    seen = set()
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        folders = tree.groups
    for folder in folders:
        with xarray.open_dataset(path, engine="h5netcdf", group=folder) as part:
            for key, variable in part.variables.items():
                full = f"{folder}/{key}".strip("/").replace("/", ".")
                # Coordinates lie in the deepest folder that holds all that have them.
                name_there = full if full in expected.variables else key
                same = expected.variables[name_there]
                assert variable.dims == same.dims
                assert variable.dtype == same.dtype
                np.testing.assert_array_equal(variable.to_numpy(), same.to_numpy())
                assert variable.attrs.get("units") == same.attrs.get("units")
                seen.add(name_there)
    assert seen == set(expected.variables)
    with xarray.open_dataset(path, engine="h5netcdf") as stored:
        assert stored.attrs["analysis"] == name
        assert json.loads(stored.attrs["provenance"])["device"] == measured.provenance.device
        assert set(stored.data_vars) | set(stored.coords) >= {
            key for key in measured.arrays() if "/" not in key
        }


def test_a_surface_is_read_from_its_file_by_its_coordinates(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    plane = replace(
        result("surface"),
        errors={"train_loss": np.arange(24.0).reshape(6, 4)},
        repeats={"train_loss": np.arange(48.0).reshape(2, 6, 4)},
    )
    plane.save(tmp_path / "x.h5")
    with xarray.open_dataset(tmp_path / "x.h5", engine="h5netcdf") as stored:
        assert stored["train_loss"].dims == ("y", "x")
        assert float(stored["train_loss"].sel(x=0.0, y=0.25)) == plane.loss[3, 1]
        assert stored["train_loss"].attrs["units"] == "nats"
        assert stored["x"].attrs["units"] == "x direction"
        np.testing.assert_array_equal(stored["y"], plane.y)
    with xarray.open_datatree(tmp_path / "x.h5", engine="h5netcdf") as tree:
        assert float(tree["error/train_loss"].sel(x=0.0, y=0.25)) == 13.0
        assert float(tree["repeats/train_loss"].sel(x=0.0, y=0.25).isel(repeat=1)) == 37.0
        assert tree["tensors/kind"].sel(tensor="0.weight").item() == "kernel"


def test_frames_are_labelled_by_coordinates():
    pytest.importorskip("pandas")
    plane = result("surface")
    frame = plane.to_pandas()["train_loss"]
    assert frame.loc[0.25, 0.0] == plane.loss[3, 1]
    logits = result("ntk").to_pandas()["logit"]
    assert logits.index.names == ["seed", "output"]
    assert logits.loc[(1, 2), 3] == result("ntk").arrays()["logit"].values[1, 1, 3]
    noise = result("flatness").to_pandas()
    assert list(noise["average/fixed/losses"].index) == [0.01, 0.05]
    assert list(noise["average/adaptive/losses"].index) == [0.1, 0.3, 0.5]
    trace = result("hessian").to_pandas()["trace"]["trace"]
    assert trace["standard error"] == result("hessian").trace.stderr


@pytest.mark.parametrize(
    ("path", "place", "expected"),
    [
        ("loss", 0, [1.0, 2.0]),
        ("inner/deep/loss", 0, [1.0, 2.0]),
        ("other/loss", 0, [5.0, 6.0, 7.0]),
        ("longer/loss", 0, None),
        ("trace", 0, ["value", "standard error"]),
        ("ends", 0, ["largest", "smallest"]),
        ("named", 0, ["a", "b"]),
        ("named", 1, None),
    ],
)
def test_coordinates_are_those_of_the_nearest_folder(path, place, expected):
    arrays = {
        "ts": Array([1.0, 2.0], "s", ("t",)),
        "loss": Array([3.0, 4.0], "", ("t",)),
        "inner/deep/loss": Array([3.0, 4.0], "", ("t",)),
        "other/ts": Array([5.0, 6.0, 7.0], "s", ("t",)),
        "other/loss": Array([1.0, 2.0, 3.0], "", ("t",)),
        "longer/loss": Array([1.0, 2.0, 3.0], "", ("t",)),
        "trace": Array([1.0, 0.1], "", ("±",)),
        "ends": Array([1.0, 0.1], "", ("largest, smallest",)),
        "layers": Array(np.array(["a", "b"]), "", ("layer",)),
        "named": Array(np.ones((2, 2)), "", ("layer", "head")),
    }
    values = coordinates_along(path, place, arrays, ("ts", "layers"))
    assert (None if values is None else list(values)) == expected


def test_what_is_missing_is_said(monkeypatch):
    for package, method in (("pandas", "to_pandas"), ("xarray", "to_xarray")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(InputError, match=rf"{method}\(\) needs {package}: pip install"):
            getattr(result("norms"), method)()


@pytest.mark.parametrize("name", EVERY)
def test_a_file_of_any_analysis_is_read(name, tmp_path):
    measured = example(name)
    measured.save(tmp_path / "x.h5")
    loaded = analyses.load(str(tmp_path / "x.h5"))
    assert type(loaded) is type(measured)
    assert (loaded.label, loaded.settings) == (measured.label, measured.settings)
    assert analyses.load(tmp_path / "x.h5", label="b").label == "b"
    with pytest.raises(InputError, match=f"holds {name}, not "):
        analyses.load(tmp_path / "x.h5", "norms" if name != "norms" else "line")
