import base64
import struct
from xml.etree import ElementTree

import numpy as np
import pytest

from analyses.formats.paraview import write_path_vtp, write_vtp, write_vts
from landscape.errors import InputError

FORMATS = {"Float64": "d", "Int64": "q", "UInt8": "B"}


def decode(element):
    content = base64.b64decode(element.text, validate=True)
    (size,) = struct.unpack_from("<Q", content)
    assert size == len(content) - 8
    kind = FORMATS[element.get("type")]
    return [value for (value,) in struct.iter_unpack("<" + kind, content[8:])]


def read(path):
    root = ElementTree.parse(path).getroot()
    assert root.tag == "VTKFile"
    assert root.get("byte_order") == "LittleEndian"
    assert root.get("header_type") == "UInt64"
    (piece,) = root.iter("Piece")
    (points,) = piece.find("Points")
    assert points.get("NumberOfComponents") == "3"
    flat = decode(points)
    triples = list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))
    data = {element.get("Name"): decode(element) for element in piece.find("PointData")}
    return root, piece, triples, data


def cells(piece, kind):
    arrays = {element.get("Name"): decode(element) for element in piece.find(kind)}
    ends = arrays["offsets"]
    assert len(ends) == int(piece.get(f"NumberOf{kind}"))
    starts = [0, *ends][: len(ends)]
    assert len(arrays["connectivity"]) == (ends[-1] if ends else 0)
    return [arrays["connectivity"][a:b] for a, b in zip(starts, ends, strict=True)]


def surface(nx=4, ny=3):
    x, y = np.linspace(-1.0, 2.0, nx), np.linspace(0.5, 0.75, ny)
    loss = np.arange(1.0, nx * ny + 1).reshape(ny, nx) ** 2 / 7
    return x, y, {"loss": loss, "accuracy": 100 - loss}


@pytest.mark.parametrize("write", [write_vts, write_vtp])
@pytest.mark.parametrize(("nx", "ny"), [(4, 3), (3, 4), (3, 3), (5, 1), (1, 5), (1, 1)])
def test_points_and_values_are_those_given(write, nx, ny, tmp_path):
    x, y, values = surface(nx, ny)
    assert write(tmp_path / "file", x, y, values, "loss") == tmp_path / "file"
    root, _, points, data = read(tmp_path / "file")
    assert root.get("type") == ("StructuredGrid" if write is write_vts else "PolyData")
    expected = [(x[i], y[j], values["loss"][j, i]) for j in range(ny) for i in range(nx)]
    assert points == expected
    assert sorted(data) == ["accuracy", "loss", "not_finite"]
    for name, array in values.items():
        assert data[name] == [array[j, i] for j in range(ny) for i in range(nx)]
    assert data["not_finite"] == [0] * (nx * ny)


def test_extent_counts_x_first(tmp_path):
    x, y, values = surface(4, 3)
    root, piece, _, _ = read(write_vts(tmp_path / "a.vts", x, y, values, "loss"))
    assert piece.get("Extent") == root.find("StructuredGrid").get("WholeExtent") == "0 3 0 2 0 0"


def test_quads_turn_left_and_tile_the_grid(tmp_path):
    x, y, values = surface(4, 3)
    _, piece, points, _ = read(write_vtp(tmp_path / "a.vtp", x, y, values, "loss"))
    quads = cells(piece, "Polys")
    assert quads[0] == [0, 1, 5, 4]
    assert len({tuple(quad) for quad in quads}) == 6
    for quad in quads:
        xs, ys, _ = np.array([points[corner] for corner in quad]).T
        area = 0.5 * np.sum(xs * np.roll(ys, -1) - ys * np.roll(xs, -1))
        assert area == pytest.approx((x[1] - x[0]) * (y[1] - y[0]))


def test_a_single_row_has_no_quads(tmp_path):
    x, y, values = surface(5, 1)
    _, piece, _, _ = read(write_vtp(tmp_path / "a.vtp", x, y, values, "loss"))
    assert cells(piece, "Polys") == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_heights_are_marked_and_leave_a_hole(bad, tmp_path):
    x, y, values = surface(4, 3)
    loss = values["loss"]
    largest = loss[2, 2]
    loss[2, 3] = bad
    _, _, points, data = read(write_vts(tmp_path / "a.vts", x, y, values, "loss"))
    assert points[-1] == (x[3], y[2], largest)
    assert data["not_finite"] == [0] * 11 + [1]
    np.testing.assert_array_equal(data["loss"], loss.ravel())
    _, piece, same, _ = read(write_vtp(tmp_path / "a.vtp", x, y, values, "loss"))
    assert same == points
    quads = cells(piece, "Polys")
    assert len(quads) == 5
    assert all(11 not in quad for quad in quads)


def test_other_arrays_may_be_not_finite(tmp_path):
    x, y, values = surface(4, 3)
    values["accuracy"][0, 1] = np.nan
    _, piece, _, data = read(write_vtp(tmp_path / "a.vtp", x, y, values, "loss"))
    assert np.isnan(data["accuracy"][1])
    assert data["not_finite"] == [0] * 12
    assert len(cells(piece, "Polys")) == 6


def test_nothing_finite(tmp_path):
    x, y, values = surface(4, 3)
    values["loss"][:] = np.nan
    _, piece, points, data = read(write_vtp(tmp_path / "a.vtp", x, y, values, "loss"))
    assert {z for _, _, z in points} == {0.0}
    assert data["not_finite"] == [1] * 12
    assert cells(piece, "Polys") == []


def test_any_memory_order_type_and_name(tmp_path):
    x, y, values = surface(4, 3)
    loss = np.asfortranarray(values["loss"]).astype(">f4")
    name = 'loss <&" Ω'
    _, _, points, data = read(write_vts(tmp_path / "a.vts", x, y, {name: loss}, name))
    assert data[name] == [z for _, _, z in points] == loss.ravel().tolist()


def test_trajectory(tmp_path):
    points = np.arange(15.0).reshape(5, 3) ** 2
    values = {"epoch": np.arange(5), "loss": points[:, 2]}
    path = tmp_path / "path.vtp"
    assert write_path_vtp(path, points, values) == path
    root, piece, written, data = read(path)
    assert root.get("type") == "PolyData"
    assert written == [tuple(point) for point in points]
    assert data == {"epoch": [0, 1, 2, 3, 4], "loss": points[:, 2].tolist()}
    assert cells(piece, "Lines") == [[0, 1, 2, 3, 4]]


def test_trajectory_breaks_where_it_is_not_finite(tmp_path):
    points = np.arange(21.0).reshape(7, 3)
    points[2, 2], points[4, 0] = np.nan, np.inf
    values = {"epoch": np.arange(7.0)}
    _, piece, written, data = read(write_path_vtp(tmp_path / "a.vtp", points, values))
    assert written == [tuple(points[i]) for i in (0, 1, 3, 5, 6)]
    assert data["epoch"] == [0, 1, 3, 5, 6]
    assert cells(piece, "Lines") == [[0, 1], [3, 4]]


@pytest.mark.parametrize("count", [0, 1])
def test_trajectory_without_a_line(count, tmp_path):
    path = write_path_vtp(tmp_path / "a.vtp", np.ones((count, 3)), {"epoch": np.ones(count)})
    _, piece, written, _ = read(path)
    assert len(written) == int(piece.get("NumberOfPoints")) == count
    assert cells(piece, "Lines") == []


def test_wrong_input_says_so(tmp_path):
    x, y, values = surface(4, 3)
    path = tmp_path / "a.vts"
    with pytest.raises(InputError, match=r"'loss' to have shape \(4, 3\), got \(3, 4\)"):
        write_vts(path, y, x, values, "loss")
    with pytest.raises(InputError, match="loss, accuracy as height, got 'hess'"):
        write_vtp(path, x, y, values, "hess")
    with pytest.raises(InputError, match="'not_finite'"):
        write_vts(path, x, y, values | {"not_finite": values["loss"]}, "loss")
    with pytest.raises(InputError, match=r"\(nx,\) and \(ny,\)"):
        write_vts(path, *np.meshgrid(x, y), values, "loss")
    with pytest.raises(InputError, match=r"\(n, 3\), got \(5, 2\)"):
        write_path_vtp(path, np.ones((5, 2)), {})
    with pytest.raises(InputError, match=r"'epoch' to have shape \(5,\)"):
        write_path_vtp(path, np.ones((5, 3)), {"epoch": np.ones(4)})
    assert list(tmp_path.iterdir()) == []
