"""Arrays that share an axis have the same length along it, in every folder."""

from dataclasses import replace

import numpy as np
import pytest

from analyses.surface.result import Surface
from landscape.errors import InputError
from landscape.results.consistency import check_axes
from landscape.results.result import Array
from tests.analyses.problems import result
from tests.hdf5_files import changed

SOUND = {
    "ts": Array([1.0, 2.0], "s", ("t",)),
    "loss": Array([3.0, 4.0], "", ("t",)),
    "inner/deep/loss": Array([[3.0, 4.0]], "", ("draw", "t")),
    "other/ts": Array([5.0, 6.0, 7.0], "s", ("t",)),
    "other/loss": Array([1.0, 2.0, 3.0], "", ("t",)),
    "other/rest/loss": Array([1.0, 2.0, 3.0], "", ("t",)),
    "one/draws": Array([1.0], "", ("draw",)),
    "two/draws": Array([1.0, 2.0], "", ("draw",)),
}


def test_folders_may_have_coordinates_of_their_own_and_axes_without_any():
    check_axes(SOUND, ("ts",))


@pytest.mark.parametrize(
    ("path", "axes", "shape", "message"),
    [
        ("loss", ("t",), (3,), "loss has 3 entries along t, ts has 2"),
        ("ts", ("t",), (3,), "loss has 2 entries along t, ts has 3"),
        ("error/loss", ("t",), (3,), "error/loss has 3 entries along t, ts has 2"),
        ("inner/deep/loss", ("draw", "t"), (1, 3), "inner/deep/loss has 3 .* along t, ts has 2"),
        ("other/rest/loss", ("t",), (2,), "other/rest/loss has 2 .* along t, other/ts has 3"),
        ("two/more", ("draw",), (3,), "two/more has 3 entries along draw, two/draws has 2"),
        ("loss", ("t",), (2, 1), "loss has 2 dimensions, expected 1: t"),
    ],
)
def test_an_axis_of_another_length_is_refused(path, axes, shape, message):
    arrays = {**SOUND, path: Array(np.zeros(shape), "", axes)}
    with pytest.raises(InputError, match=message):
        check_axes(arrays, ("ts",))


@pytest.mark.parametrize("folder", ["error", "repeats"])
def test_a_slice_holds_its_errors_and_repeats_to_its_coordinates(tmp_path, folder):
    shape = {"error": (6, 4), "repeats": (3, 6, 4)}[folder]
    field = {"error": "errors", "repeats": "repeats"}[folder]
    sound = replace(result("surface"), **{field: {"train_loss": np.ones(shape)}})
    path = tmp_path / "surface.h5"
    sound.save(path)
    assert Surface.load(path).arrays()[f"{folder}/train_loss"].values.shape == shape

    def shorten(file):
        values = file[f"{folder}/train_loss"][..., :-1]
        del file[f"{folder}/train_loss"]
        file[f"{folder}/train_loss"] = values

    with pytest.raises(
        InputError, match=rf"{folder}/train_loss has 3 entries along x, xcoordinates has 4"
    ):
        Surface.load(changed(path, shorten))


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    wrong = replace(result("surface"), errors={"train_loss": np.ones((6, 3))})
    with pytest.raises(InputError, match="error/train_loss has 3 entries along x"):
        wrong.save(tmp_path / "surface.h5")
    assert not list(tmp_path.iterdir())
