"""Files that are damaged or not results are refused."""

from itertools import product

import h5py
import numpy as np
import pytest

from analyses.catalog import known_analyses
from landscape.errors import InputError
from landscape.results.hdf5.seal import USER_BLOCK
from landscape.results.result import FORMAT
from tests.analyses.problems import NAMES, result
from tests.hdf5_files import changed, unsealed
from tests.profile import repeats, some

every_result = pytest.mark.parametrize("name", NAMES)


@every_result
def test_a_result_of_another_analysis_is_refused(tmp_path, name):
    result(name).save(tmp_path / "x.h5")
    unequal = [other for other in NAMES if other != name]
    for other in unequal[: repeats(2, len(NAMES))]:
        with pytest.raises(InputError, match=f"x.h5 holds {name}, not {other}"):
            known_analyses()[other].result_type.load(tmp_path / "x.h5")


@every_result
def test_no_file_and_a_folder_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="no such result: .*nowhere"):
        known_analyses()[name].result_type.load(tmp_path / "nowhere.h5")
    with pytest.raises(InputError, match="is not a file"):
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
    content = unsealed(path).read_bytes()
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
    "another format": attribute("format", FORMAT + 1),
    "no analysis": lambda file: file.attrs.__delitem__("analysis"),
    "a vector for a number": replaced("loss", [1.0, 2.0]),
    "text for a number": replaced("loss", "large"),
}


@pytest.mark.parametrize(
    ("what", "version"), some(product(CHANGES, ["sealed again", "earlier"]), 14)
)
def test_a_changed_file_is_refused(tmp_path, what, version):
    path = tmp_path / "x.h5"
    result("hessian").save(path)
    if version == "earlier":
        with h5py.File(unsealed(path), "r+") as file:
            CHANGES[what](file)
    else:
        changed(path, CHANGES[what])
    with pytest.raises(InputError) as raised:
        known_analyses()["hessian"].result_type.load(path)
    assert "checksum" not in str(raised.value)


def test_a_file_of_today_without_its_checksum_is_refused(tmp_path):
    path = tmp_path / "x.h5"
    result("hessian").save(path)
    path.write_bytes(path.read_bytes()[USER_BLOCK:])
    with pytest.raises(InputError, match="it has lost its checksum"):
        known_analyses()["hessian"].result_type.load(path)


def test_any_other_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["train_loss"] = np.zeros((3, 3))
    with pytest.raises(InputError, match="holds no analysis, not surface"):
        known_analyses()["surface"].result_type.load(tmp_path / "other.h5")
