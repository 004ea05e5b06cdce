"""Directions of surfaces: from files, from seeds, and for other networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analyses import line, surface
from landscape.directions.files import read_directions
from landscape.errors import InputError
from tests.analyses.case_objectives import case_objective
from tests.analyses.problems import objective
from tests.analyses.surface.grids import GRID, X0, Y0


def test_the_directions_of_a_surface_make_the_same_surface_again(tmp_path):
    problem, path = objective(), tmp_path / "surface.h5"
    first = surface.compute(problem, GRID)
    first.save(path)
    again = surface.compute(problem, replace(GRID, directions=str(path), seed=99, normalize="none"))
    np.testing.assert_array_equal(again.loss, first.loss)
    np.testing.assert_array_equal(again.accuracy, first.accuracy)
    assert again.direction_cosine == first.direction_cosine
    assert again.directions.keys() == first.directions.keys()
    for name, values in first.directions.items():
        np.testing.assert_array_equal(again.directions[name], values)


def test_two_networks_can_share_a_plane(tmp_path):
    path = tmp_path / "surface.h5"
    surface.compute(objective(), GRID).save(path)
    other = surface.compute(objective(seed=1), replace(GRID, directions=str(path)))
    expected = read_directions(path, objective().layout, objective().module)
    tensors = [other.directions[f"xdirection/{k}"].ravel() for k in range(6)]
    np.testing.assert_array_equal(np.concatenate(tensors), expected[0].vector)


def test_a_line_has_no_second_direction(tmp_path):
    path = tmp_path / "line.h5"
    line.compute(objective(), line.Settings(x=GRID.x)).save(path)
    with pytest.raises(InputError, match=r"line\.h5 holds one direction; a surface needs two"):
        surface.compute(objective(), replace(GRID, directions=str(path)))


def test_directions_of_another_network_are_refused(tmp_path):
    path = tmp_path / "surface.h5"
    surface.compute(objective(), GRID).save(path)
    other = case_objective("linear regression", torch.float32)
    with pytest.raises(InputError, match="the same architecture"):
        surface.compute(other, replace(GRID, directions=str(path)))


def test_a_seed_means_one_plane():
    first, again = (surface.compute(objective(), GRID) for _ in range(2))
    np.testing.assert_array_equal(first.loss, again.loss)
    other = surface.compute(objective(), replace(GRID, seed=5))
    assert not np.array_equal(first.loss, other.loss)
    assert other.loss[Y0, X0] == first.loss[Y0, X0]
