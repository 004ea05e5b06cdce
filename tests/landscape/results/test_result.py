"""Results of every analysis come back from their HDF5 files."""

import dataclasses
import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from analyses import line, surface
from analyses.catalog import known_analyses
from analyses.slices.grid import Axis
from landscape.errors import InputError
from landscape.results.hdf5.read import read_arrays, read_outline
from landscape.results.hdf5.scales import SCALE_ONLY
from landscape.results.hdf5.write import write_hdf5
from landscape.results.result import FORMAT, plain
from tests.analyses.problems import NAMES, having_loss, objective, result

every_result = pytest.mark.parametrize("name", NAMES)


def same_arrays(one, other):
    assert set(one) == set(other)
    for name in one:
        assert (one[name].unit, one[name].axes) == (other[name].unit, other[name].axes)
        np.testing.assert_array_equal(one[name].values, other[name].values)


# ----------------------------------------------------------------------------- there and back


@every_result
def test_a_result_comes_back_from_its_file(tmp_path, name):
    saved = result(name)
    saved.save(tmp_path / "x.h5")
    loaded = known_analyses()[name].result_type.load(tmp_path / "x.h5")
    assert type(loaded) is type(saved)
    assert loaded.label == saved.label == "plain"
    assert loaded.settings == saved.settings
    assert loaded.provenance == saved.provenance
    same_arrays(loaded.arrays(), saved.arrays())
    assert plain(loaded.headline()) == plain(saved.headline())


@every_result
def test_every_field_of_a_loaded_result_has_the_type_it_had(tmp_path, name):
    saved = result(name)
    saved.save(str(tmp_path / "x.h5"))
    loaded = known_analyses()[name].result_type.load(str(tmp_path / "x.h5"))
    for field in dataclasses.fields(saved):
        before, after = getattr(saved, field.name), getattr(loaded, field.name)
        assert type(after) is type(before), field.name
        if isinstance(before, np.ndarray):
            assert after.dtype == before.dtype, field.name
            assert after.shape == before.shape, field.name


@pytest.mark.parametrize("name", ["surface", "line"])
@pytest.mark.parametrize(
    "axis", [Axis(-1 / 3, 2 / 3, 4), Axis(-1.2345678, 1.0, 3), Axis(-1e-9, 1e7 + 1, 2)], ids=str
)
def test_coordinates_come_back_to_the_last_digit(tmp_path, name, axis):
    settings = {"surface": surface.Settings, "line": line.Settings}[name](x=axis)
    saved = replace(result(name), settings=settings)
    saved.save(tmp_path / "x.h5")
    loaded = known_analyses()[name].result_type.load(tmp_path / "x.h5")
    assert loaded.settings.x == axis
    assert np.array_equal(loaded.settings.x.coordinates, axis.coordinates)


@pytest.mark.parametrize("name", ["surface", "line"])
@pytest.mark.parametrize("split", ["train", "test", "val"])
def test_the_split_comes_back(tmp_path, name, split):
    before = result(name)
    names = {f"train_{value}": f"{split}_{value}" for value in ("loss", "acc", "loss_stderr")}
    values = {names[old]: array for old, array in before.values.items()}
    saved = replace(before, split=split, values=values)
    saved.save(tmp_path / "x.h5")
    loaded = known_analyses()[name].result_type.load(tmp_path / "x.h5")
    assert loaded.split == split
    np.testing.assert_array_equal(loaded.loss, saved.loss)


@pytest.mark.parametrize("name", ["surface", "line"])
def test_what_is_not_finite_comes_back(tmp_path, name):
    before = result(name)
    loss = before.loss.copy()
    loss.flat[:3] = np.nan, np.inf, -np.inf
    accuracy = np.full_like(loss, np.nan)
    saved = having_loss(before, loss, acc=accuracy, loss_stderr=accuracy)
    saved.save(tmp_path / "x.h5")
    same_arrays(known_analyses()[name].result_type.load(tmp_path / "x.h5").arrays(), saved.arrays())


def test_a_spectrum_without_probes_comes_back(tmp_path):
    from analyses import hessian

    saved = hessian.compute(objective(), hessian.Settings(top=2, probes=0))
    saved.save(tmp_path / "x.h5")
    loaded = hessian.Spectrum.load(tmp_path / "x.h5")
    same_arrays(loaded.arrays(), saved.arrays())
    assert loaded.headline()["trace"] is None


@every_result
def test_labels_in_any_script_come_back(tmp_path, name):
    for label in ("Überflug ρ=0.1", "", "a b/c"):
        replace(result(name), label=label).save(tmp_path / "x.h5")
        assert known_analyses()[name].result_type.load(tmp_path / "x.h5").label == label


# ---------------------------------------------------------------------- a file anyone can use


@every_result
def test_the_file_says_what_its_arrays_are(tmp_path, name):
    saved = result(name)
    saved.save(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file:
        assert file.attrs["analysis"].decode() == name
        assert file.attrs["label"].decode() == "plain"
        assert json.loads(file.attrs["provenance"])["num_parameters"] == 83
        datasets = {}
        file.visititems(
            lambda path, item: datasets.update(
                {path: item}
                if isinstance(item, h5py.Dataset) and SCALE_ONLY not in item.attrs
                else {}
            )
        )
        assert set(datasets) == set(saved.arrays())
        for path, dataset in datasets.items():
            axes = json.loads(dataset.attrs["axes"])
            assert isinstance(dataset.attrs["unit"], bytes), path
            assert len(axes) == dataset.ndim or "direction/" in path, path
            assert all(isinstance(axis, str) and axis for axis in axes), path


EXPECTED = {
    "surface": {"train_loss": ("nats", ["y", "x"]), "train_acc": ("%", ["y", "x"])},
    "line": {"train_loss": ("nats", ["x"]), "xcoordinates": ("x direction", ["x"])},
    "interpolate": {
        "train_acc": ("%", ["x"]),
        "path/train_barrier": ("", ["height, standard error, place"]),
    },
    "hessian": {"eigenvalues": ("nats", ["rank"]), "density_nodes": ("nats", ["probe", "node"])},
    "minibatch": {"eigenvalues": ("nats", ["minibatch", "rank"])},
    "sparsity": {"active": ("fraction", ["layer"]), "stderr": ("fraction", ["layer"])},
    "components": {
        "ends/eigenvalues": ("nats", ["largest, smallest"]),
        "components/smallest/eigenvalues": ("nats", ["component"]),
        "components/sampling_errors": ("nats", ["component"]),
    },
    "ntk": {
        "full": ("squared logit", ["seed", "rank over outputs"]),
        "logit": ("squared logit", ["seed", "output", "rank"]),
    },
    "flatness": {
        "average/fixed/losses": ("nats", ["sigma", "draw"]),
        "worst/l2/one_step": ("nats", ["radius"]),
    },
    "norms": {"whole": ("l2 norm", ["layer", "mean and standard error"])},
    "recursion": {"eigenvalues": ("nats", ["layer", "sample"]), "blocks": ("nats", ["layer"])},
    "similarity": {"grams": ("", ["layer", "sample", "sample"])},
    "linearity": {
        "missing": ("fraction", ["t"]),
        "gradient_norm": ("nats", ["t"]),
        "pairs": ("", ["pair", "end"]),
    },
}


@every_result
def test_units_and_axes(tmp_path, name):
    result(name).save(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file:
        for path, (unit, axes) in EXPECTED[name].items():
            assert file[path].attrs["unit"].decode() == unit
            assert json.loads(file[path].attrs["axes"]) == axes


# Arrays of floating-point numbers that have no unit, or several in one array.
WITHOUT_UNIT = {
    "curves": {"epoch", "lr", "rho"},
    "flatness": {
        "worst/l2/alignment",
        "worst/adaptive-l2/alignment",
        "worst/adaptive-linf/alignment",
    },
    "hessian": {"cosine", "eigenvectors"},
    "sharpness": {"epoch", "cosine", "lr"},
    "similarity": {"grams", "weights"},
    "surface": {"direction_cosine"},
    "line": {"direction_cosine"},
    "interpolate": {"direction_cosine", "path/train_barrier"},
}


@every_result
def test_every_other_number_has_a_unit(name):
    for path, array in result(name).arrays().items():
        values = np.asarray(array.values)
        if values.dtype.kind == "f" and "direction/" not in path and not array.unit:
            assert path in WITHOUT_UNIT.get(name, set()), path


# ------------------------------------------------------------------- files of earlier versions


def without(path, name, number):
    """Write a sealed file again without an array, as a file of another format."""
    outline, arrays = read_outline(path), read_arrays(path)
    attributes = {**outline.attributes, "format": number}
    attributes.pop("sha256", None)
    write_hdf5(path, attributes, {key: v for key, v in arrays.items() if key != name}, {}, {})


def test_a_file_of_an_earlier_version_may_lack_what_is_new(tmp_path):
    path = tmp_path / "hessian.h5"
    saved = result("hessian")
    saved.save(path)
    without(path, "residual_bits", FORMAT - 1)
    loaded = known_analyses()["hessian"].result_type.load(path)
    assert loaded.residual_bits == 32  # of the type of its weights
    np.testing.assert_array_equal(loaded.eigenvalues, saved.eigenvalues)
    without(path, "residual_bits", FORMAT)
    with pytest.raises(InputError, match="it lacks residual_bits"):
        known_analyses()["hessian"].result_type.load(path)
