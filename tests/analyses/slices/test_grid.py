"""Axes: read from text and tuples, and their coordinates."""

import numpy as np
import pytest

from analyses.slices.grid import Axis
from landscape.errors import InputError


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
