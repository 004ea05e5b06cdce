import h5py
import numpy as np
import pytest
import torch

from analyses.grid import Axis, DirectionSettings, make_directions
from landscape.directions import NORMALIZATIONS, ONE_DIMENSIONAL, random_direction
from landscape.errors import InputError
from tests.analyses.problems import objective


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("-1:1:51", Axis(-1, 1, 51)),
        ("0:1:2", Axis(0, 1, 2)),
        ("-0.5:.25:4", Axis(-0.5, 0.25, 4)),
        ("1e-3:1e3:10", Axis(0.001, 1000, 10)),
        ("-2:-1:3", Axis(-2, -1, 3)),
        (" -1 : 1 : 3 ", Axis(-1, 1, 3)),
    ],
)
def test_an_axis_is_read(text, axis):
    assert Axis.parse(text) == axis
    coordinates = axis.coordinates
    assert coordinates.shape == (axis.count,)
    assert (coordinates[0], coordinates[-1]) == (axis.start, axis.stop)
    np.testing.assert_allclose(np.diff(coordinates), np.diff(coordinates)[0], rtol=1e-9)


MALFORMED = ["", "1", "-1:1", "-1:1:", ":1:3", "-1:1:3:4", "a:b:3", "-1:1:x", "-1:1:2.5", "-1,1,51"]


@pytest.mark.parametrize("text", [*MALFORMED, "nan:1:3", "-inf:1:3", "0:inf:3", "0:1e999:3"])
def test_a_malformed_axis_is_refused(text):
    with pytest.raises(InputError, match="expected MIN:MAX:N, such as -1:1:51, got"):
        Axis.parse(text)


@pytest.mark.parametrize("text", ["-1:1:1", "-1:1:0", "-1:1:-5"])
def test_too_few_points_are_refused(text):
    with pytest.raises(InputError, match="at least 2 points"):
        Axis.parse(text)


@pytest.mark.parametrize("text", ["1:-1:5", "1:1:5"])
def test_an_axis_without_length_is_refused(text):
    with pytest.raises(InputError, match="MIN has to be less than MAX"):
        Axis.parse(text)


@pytest.mark.parametrize(
    "axis", [Axis(-1, 1, 51), Axis(-1 / 3, 0.1 + 0.2, 7), Axis(1234567.0, 1234568.0, 2)], ids=str
)
def test_an_axis_comes_back_from_its_text(axis):
    assert Axis.parse(str(axis)) == axis


@pytest.mark.parametrize(
    ("axis", "place"),
    [
        (Axis(-1, 1, 51), 25),
        (Axis(-0.3, 0.3, 7), 3),
        (Axis(-0.1, 0.2, 4), 1),
        (Axis(-0.7, 1.4, 22), 7),
        (Axis(-1e-5, 2e-5, 4), 1),
        (Axis(-1e5, 2e5, 31), 10),
    ],
    ids=str,
)
def test_zero_is_zero_and_not_a_rounding_error(axis, place):
    assert axis.coordinates[place] == 0
    assert np.count_nonzero(axis.coordinates) == axis.count - 1


def test_zero_is_not_put_where_it_is_not():
    assert np.count_nonzero(Axis(-1, 1, 50).coordinates) == 50
    assert np.count_nonzero(Axis(1e-9, 1, 3).coordinates) == 3


# ---------------------------------------------------------------------------------- directions


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
@pytest.mark.parametrize("one_dimensional", ONE_DIMENSIONAL)
def test_directions_are_drawn_one_after_the_other(normalize, one_dimensional):
    problem = objective()
    how = {"normalize": normalize, "one_dimensional": one_dimensional}
    dx, dy = make_directions(problem, DirectionSettings(seed=3, **how), 2)
    generator = torch.Generator().manual_seed(3)
    for direction in (dx, dy):
        expected = random_direction(problem.layout, problem.theta, generator, **how)
        assert torch.equal(direction.vector, expected.vector)
    (alone,) = make_directions(problem, DirectionSettings(seed=3, **how), 1)
    assert torch.equal(alone.vector, dx.vector)


def write(path, problem, names):
    tensors = {}
    with h5py.File(path, "w") as file:
        for scale, name in enumerate(names, 1):
            for number, shape in enumerate(problem.layout.shapes):
                values = np.full(shape, scale + 0.25 * number, np.float32)
                file[f"{name}/{number}"] = tensors[name, number] = values
    return tensors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_directions_of_a_file_are_taken_as_they_are(tmp_path, dtype):
    problem = objective(dtype=dtype)
    path = tmp_path / "directions.h5"
    tensors = write(path, problem, ("xdirection", "ydirection"))
    settings = DirectionSettings(directions=str(path), normalize="filter", seed=9)
    found = make_directions(problem, settings, 2)
    for name, direction in zip(("xdirection", "ydirection"), found, strict=True):
        assert direction.vector.dtype == dtype
        for number, tensor in enumerate(problem.layout.views(direction.vector)):
            assert np.array_equal(tensor.numpy(), tensors[name, number])
    (first,) = make_directions(problem, settings, 1)
    assert torch.equal(first.vector, found[0].vector)


def test_one_direction_is_not_enough_for_two(tmp_path):
    problem = objective()
    write(tmp_path / "x.h5", problem, ("xdirection",))
    settings = DirectionSettings(directions=str(tmp_path / "x.h5"))
    assert len(make_directions(problem, settings, 1)) == 1
    with pytest.raises(InputError, match=r"x\.h5 holds one direction; a surface needs two"):
        make_directions(problem, settings, 2)
