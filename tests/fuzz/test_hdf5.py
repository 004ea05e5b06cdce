"""Damaged and crafted HDF5 files: one line or a result, never a crash, a hang or all memory."""

import warnings

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pytest

from analyses.catalog import known_analyses
from analyses.formats.original_files import count_directions, read_original
from landscape.directions.files import direction_arrays, read_directions
from landscape.results.hdf5.write import write_hdf5
from landscape.results.result import plain
from tests.analyses.problems import NAMES, result
from tests.fuzz.contents import change_something
from tests.fuzz.damage import Damaged, edits, flips, truncations
from tests.fuzz.outcomes import CASES, CASES_OF_CHILDREN, outcomes_of
from tests.hdf5_files import changed, unsealed
from tests.landscape.directions.test_files import Everything, draw, layout_and_theta
from tests.profile import some


def damaged_in_any_way(content, seed, cases=CASES):
    yield from flips(content, cases, seed)
    yield from edits(content, cases // 3, seed)
    yield from truncations(content, max(cases // 6, 2), seed)


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_result_is_refused(tmp_path, name):
    path = tmp_path / f"{name}.h5"
    result(name).save(path)
    expected = plain(result(name).headline())
    outcomes = outcomes_of(
        path,
        damaged_in_any_way(path.read_bytes(), 0),
        lambda: known_analyses()[name].result_type.load(path),
        lambda loaded: plain(loaded.headline()) == expected,
    )
    outcomes.assert_none("failed", "other")


@pytest.mark.parametrize("name", some(["surface", "hessian", "sparsity"], 1))
def test_a_damaged_result_of_the_earlier_format_does_no_harm(tmp_path, name):
    """Without a checksum, a number that changed is not noticed."""
    path = tmp_path / f"{name}.h5"
    result(name).save(path)
    content = unsealed(path).read_bytes()
    outcomes = outcomes_of(
        path,
        damaged_in_any_way(content, 1, CASES_OF_CHILDREN),
        lambda: known_analyses()[name].result_type.load(path),
    )
    outcomes.assert_none("failed")


@pytest.mark.parametrize("version", ["sealed", "earlier"])
def test_damaged_directions_do_no_harm(tmp_path, version):
    path = tmp_path / "directions.h5"
    layout, theta = layout_and_theta()
    arrays = direction_arrays(draw(layout, theta), "xdirection", Everything())
    write_hdf5(path, {}, arrays, {})
    if version == "earlier":
        unsealed(path)
    outcomes = outcomes_of(
        path,
        damaged_in_any_way(
            path.read_bytes(), 2, CASES if version == "sealed" else CASES_OF_CHILDREN
        ),
        lambda: read_directions(path, layout, Everything()),
    )
    outcomes.assert_none("failed")


def test_damaged_surfaces_of_the_original_tool_do_no_harm(tmp_path):
    path = tmp_path / "surface.h5"
    with h5py.File(path, "w") as file:
        file["xcoordinates"], file["ycoordinates"] = np.linspace(-1, 1, 5), np.linspace(-1, 1, 3)
        file["train_loss"] = file["train_acc"] = np.arange(15.0).reshape(5, 3)
        file["dir_file"] = "directions.h5"

    def read():
        return read_original(path) if count_directions(path) else None

    damaged = damaged_in_any_way(path.read_bytes(), 3, CASES_OF_CHILDREN)
    outcomes = outcomes_of(path, damaged, read)
    outcomes.assert_none("failed")


@pytest.mark.parametrize("name", NAMES)
def test_what_a_crafted_result_holds_is_refused_or_drawn(tmp_path, name):
    analysis, sound = known_analyses()[name], result(name)
    path = tmp_path / f"{name}.h5"
    sound.save(path)
    content = path.read_bytes()
    source = np.random.default_rng(4)

    def crafted():
        for _ in range(max(CASES // 10, 3)):
            path.write_bytes(content)
            said = []
            changed(path, lambda file: said.append(change_something(file, source)))  # noqa: B023
            yield Damaged(said[0], path.read_bytes())

    def show():
        loaded = analysis.result_type.load(path)
        plain(loaded.headline())
        try:
            warnings.simplefilter("ignore")  # extreme numbers overflow in scales: that is no harm
            for shown in ([loaded], [loaded, sound]):
                analysis.tabulate(shown)
                for figure in analysis.draw(shown).values():
                    figure.draw_without_rendering()
        finally:
            plt.close("all")

    with warnings.catch_warnings():
        outcomes = outcomes_of(path, crafted(), show)
    outcomes.assert_none("failed")
