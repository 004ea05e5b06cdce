"""The JSON file of a result, and files that are whole or not there."""

import dataclasses
import json
from dataclasses import dataclass, replace
from typing import ClassVar

import h5py
import numpy as np
import pytest

from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result, plain
from tests.analyses.problems import NAMES, having_loss, result

every_result = pytest.mark.parametrize("name", NAMES)


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
    bad = replace(nothing, at_origin={"train_loss": np.inf, "train_loss_stderr": np.nan})
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
        return cls(arrays["second"], label=label, settings=settings, provenance=provenance)

    def headline(self):
        return {"values": self.values}


def toy(values):
    provenance = Provenance(1, 1, "a", "b", "float32", "cpu", 0.0)
    return Toy(values, label="toy", settings=Empty(), provenance=provenance)


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
