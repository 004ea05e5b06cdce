import dataclasses
import json
from dataclasses import dataclass, replace
from typing import ClassVar

import h5py
import numpy as np
import pytest

from analyses import line, surface
from analyses.catalog import known_analyses
from analyses.slices.grid import Axis
from landscape.errors import InputError
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result, plain
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
    values = {names[old]: found for old, found in before.values.items()}
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
        assert file.attrs["analysis"] == name
        assert file.attrs["label"] == "plain"
        assert json.loads(file.attrs["provenance"])["num_parameters"] == 83
        found = {}
        file.visititems(
            lambda path, item: found.update({path: item} if isinstance(item, h5py.Dataset) else {})
        )
        assert set(found) == set(saved.arrays())
        for path, dataset in found.items():
            axes = json.loads(dataset.attrs["axes"])
            assert isinstance(dataset.attrs["unit"], str), path
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
        "eigenvalues": ("nats", ["rank"]),
        "components/sampling_errors": ("nats", ["component"]),
    },
    "ntk": {"full": ("", ["seed", "rank"]), "logit": ("", ["seed", "output", "rank"])},
    "flatness": {
        "average/fixed/losses": ("nats", ["sigma", "draw"]),
        "worst/l2/one_step": ("nats", ["radius"]),
    },
    "norms": {"whole": ("l2 norm", ["layer", "mean and standard error"])},
    "recursion": {"eigenvalues": ("nats", ["layer", "sample"]), "blocks": ("nats", ["layer"])},
    "similarity": {"grams": ("", ["layer", "sample", "sample"])},
    "linearity": {"missing": ("fraction", ["t"]), "pairs": ("", ["pair", "end"])},
}


@every_result
def test_units_and_axes(tmp_path, name):
    result(name).save(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file:
        for path, (unit, axes) in EXPECTED[name].items():
            assert file[path].attrs["unit"] == unit
            assert json.loads(file[path].attrs["axes"]) == axes


# ---------------------------------------------------------------------------------------- JSON


def strict_json(path):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


@every_result
def test_the_json_has_the_headline_settings_and_provenance(tmp_path, name):
    saved = result(name)
    saved.write_json(tmp_path / "x.json")
    content = strict_json(tmp_path / "x.json")
    assert content["label"] == "plain"
    assert content["analysis"] == name
    assert set(saved.headline()) < set(content)
    fields = dataclasses.fields(saved.settings)
    expected = {field.name for field in fields if field.metadata.get("stored", True)}
    assert set(content["settings"]) == expected
    made = content["provenance"]
    assert made["num_parameters"] == 83
    assert made["num_samples"] == 25
    assert made["precision"] == "float32"
    assert made["origin"]["model_args"] == {"layers": [4, 6, 5, 3]}
    assert made["versions"]["torch"]
    assert made["seconds"] >= 0
    assert len(made["weights_sha256"]) == len(made["sample_sha256"]) == 64


@pytest.mark.parametrize("name", ["surface", "line"])
def test_the_json_has_null_for_what_is_not_finite(tmp_path, name):
    before = result(name)
    nothing = having_loss(before, np.full_like(before.loss, np.nan))
    bad = replace(nothing, own={"train_loss": np.inf, "train_loss_stderr": np.nan})
    bad.write_json(tmp_path / "x.json")
    content = strict_json(tmp_path / "x.json")
    assert content["loss"] is None
    assert content["loss_stderr"] is None
    assert content["not_finite"] == before.loss.size


def test_plain_knows_numpy():
    value = {
        1: np.float64(np.nan),
        "b": [np.int32(3), np.bool_(True), (np.float32(0.5), "text", None)],
        "c": np.array([[1.0, np.inf], [-np.inf, 2.0]]),
    }
    expected = {"1": None, "b": [3, True, [0.5, "text", None]], "c": [[1.0, None], [None, 2.0]]}
    assert plain(value) == expected
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == expected


# ----------------------------------------------------------------------- whole or not at all


@dataclass(frozen=True)
class Empty:
    pass


@dataclass(frozen=True)
class Toy(Result):
    """A result of one array, whose writing can be made to fail."""

    values: object
    analysis: ClassVar[str] = "toy"
    settings_type: ClassVar[type] = Empty

    def arrays(self):
        return {"first": Array(np.arange(1000)), "second": Array(self.values)}

    @classmethod
    def from_arrays(cls, arrays, label, settings, provenance):
        return cls(label, settings, provenance, arrays["second"])

    def headline(self):
        return {"values": self.values}


def toy(values):
    return Toy("toy", Empty(), Provenance(1, 1, "a", "b", "float32", "cpu", 0.0), values)


class Unwritable:
    """Neither an array nor text."""

    def __str__(self):
        raise TypeError("no text either")


@pytest.mark.parametrize("old", [True, False], ids=["over an old file", "a new file"])
@pytest.mark.parametrize("write", [Toy.save, Toy.write_json], ids=["HDF5", "JSON"])
def test_a_failed_write_leaves_what_was_there(tmp_path, old, write):
    path = tmp_path / "x"
    if old:
        write(toy([1.0, 2.0]), path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(before) == old
    with pytest.raises(TypeError):
        write(toy(Unwritable()), path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_result_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "x.h5"
    toy([1.0, 2.0]).save(path)
    with h5py.File(path) as reader:  # somebody has the old one open
        toy([3.0]).save(path)
        assert reader["second"][()].tolist() == [1.0, 2.0]
    assert Toy.load(path).values.tolist() == [3.0]
    assert [file.name for file in tmp_path.iterdir()] == ["x.h5"]


# --------------------------------------------------------------------------------- bad files


@every_result
def test_a_result_of_another_analysis_is_refused(tmp_path, name):
    result(name).save(tmp_path / "x.h5")
    for other in set(NAMES) - {name}:
        with pytest.raises(InputError, match=f"x.h5 holds {name}, not {other}"):
            known_analyses()[other].result_type.load(tmp_path / "x.h5")


@every_result
def test_no_file_and_a_folder_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="no such result: .*nowhere"):
        known_analyses()[name].result_type.load(tmp_path / "nowhere.h5")
    with pytest.raises(InputError, match="damaged or not a result"):
        known_analyses()[name].result_type.load(tmp_path)


@every_result
def test_truncated_files_are_refused(tmp_path, name):
    path = tmp_path / "x.h5"
    result(name).save(path)
    content = path.read_bytes()
    for share in (0, 0.01, 0.2, 0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match=r"x\.h5"):
            known_analyses()[name].result_type.load(path)
    path.write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"x\.h5"):
        known_analyses()[name].result_type.load(path)


@pytest.mark.parametrize("marker", [b"SNOD", b"TREE", b"HEAP", b"GCOL", b"\x89HDF"])
def test_a_file_whose_structure_is_damaged_is_refused(tmp_path, marker):
    path = tmp_path / "x.h5"
    result("surface").save(path)
    content = path.read_bytes()
    assert marker in content
    path.write_bytes(content.replace(marker, marker[::-1]))
    with pytest.raises(InputError, match=r"x\.h5"):
        known_analyses()["surface"].result_type.load(path)


def remove(name):
    def change(file):
        del file[name]

    return change


def attribute(name, value):
    def change(file):
        file.attrs[name] = value

    return change


def replaced(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


CHANGES = {
    "a missing array": remove("eigenvalues"),
    "a missing label": lambda file: file.attrs.__delitem__("label"),
    "missing settings": lambda file: file.attrs.__delitem__("settings"),
    "settings that are no JSON": attribute("settings", "{'top': 3}"),
    "settings that are nothing": attribute("settings", "null"),
    "settings of a wrong type": attribute("settings", '{"top": "five"}'),
    "settings out of range": attribute("settings", '{"top": 0}'),
    "provenance that is no JSON": attribute("provenance", ""),
    "provenance without its fields": attribute("provenance", "{}"),
    "provenance with more fields": attribute("provenance", '{"weather": "fine"}'),
    "another format": attribute("format", 2),
    "no analysis": lambda file: file.attrs.__delitem__("analysis"),
    "a vector for a number": replaced("loss", [1.0, 2.0]),
    "text for a number": replaced("loss", "large"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_file_is_refused(tmp_path, what):
    path = tmp_path / "x.h5"
    result("hessian").save(path)
    with h5py.File(path, "r+") as file:
        CHANGES[what](file)
    with pytest.raises(InputError):
        known_analyses()["hessian"].result_type.load(path)


def test_any_other_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["train_loss"] = np.zeros((3, 3))
    with pytest.raises(InputError, match="holds no analysis, not surface"):
        known_analyses()["surface"].result_type.load(tmp_path / "other.h5")
