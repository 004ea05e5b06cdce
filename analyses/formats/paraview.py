"""Surfaces and trajectories as VTK XML files, for ParaView and other readers of VTK.

The format is the XML format of Kitware's "VTK File Formats", with inline binary arrays: each is the
base64 encoding of its size in bytes (UInt64) followed by its values, little-endian.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from analyses.generated import MARK
from landscape.errors import InputError
from landscape.results.files import replacing

Array = NDArray[np.float64]

# The point data that mark non-finite heights, which ParaView does not accept as coordinates.
NOT_FINITE = "not_finite"

VTK_TYPES = {"<f8": "Float64", "<i8": "Int64", "|u1": "UInt8"}


def write_vts(path: Path, x: Array, y: Array, values: Mapping[str, Array], height: str) -> Path:
    """Write a surface as a structured grid of nx × ny × 1 points.

    All values are written unchanged as point data. Where the height is not finite, z is the largest
    finite height (0 if there is none) and the point data ``not_finite`` are 1.

    Args:
        path: the file.
        x: (nx,), coordinates.
        y: (ny,), coordinates.
        values: arrays of shape (ny, nx) by name.
        height: the name of the array that is z.

    Returns:
        ``path``.

    Raises:
        InputError: if a shape or name is not as expected.
    """
    points = _surface_points(x, y, values, height)
    extent = f"0 {len(x) - 1} 0 {len(y) - 1} 0 0"
    root = _file("StructuredGrid")
    grid = ElementTree.SubElement(root, "StructuredGrid", WholeExtent=extent)
    piece = ElementTree.SubElement(grid, "Piece", Extent=extent)
    _add_point_data(piece, values, height)
    _add_array(ElementTree.SubElement(piece, "Points"), "Points", points)
    return _write(root, path)


def write_vtp(path: Path, x: Array, y: Array, values: Mapping[str, Array], height: str) -> Path:
    """Write the surface of :func:`write_vts` as quads.

    Arguments, points and point data are the same. A quad with a corner whose height is not finite
    is left out, so that the surface has a hole there.
    """
    points = _surface_points(x, y, values, height)
    index = np.arange(len(points)).reshape(len(y), len(x))
    corners = (np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, 1:], np.s_[1:, :-1])
    quads = np.stack([index[corner] for corner in corners], axis=-1).reshape(-1, 4)
    finite = np.isfinite(np.asarray(values[height], np.float64)).ravel()
    quads = quads[finite[quads].all(axis=1)]
    root, piece = _poly_data(points, "Polys", len(quads))
    _add_point_data(piece, values, height)
    _add_cells(piece, "Polys", quads.ravel(), 4 * np.arange(1, len(quads) + 1))
    return _write(root, path)


def write_path_vtp(path: Path, points: Array, values: Mapping[str, Array]) -> Path:
    """Write a trajectory as a polyline, which is interrupted at non-finite points.

    Args:
        path: the file.
        points: (n, 3), the x, y and z of each point in order.
        values: arrays of shape (n,) by name, written as point data.

    Returns:
        ``path``.

    Raises:
        InputError: if a shape or name is not as expected.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise InputError(f"expected a trajectory of shape (n, 3), got {points.shape}")
    _check(values, (len(points),))
    kept = np.flatnonzero(np.isfinite(points).all(axis=1))
    breaks = np.flatnonzero(np.diff(kept) > 1) + 1
    lines = [line for line in np.split(np.arange(len(kept)), breaks) if len(line) > 1]
    root, piece = _poly_data(points[kept], "Lines", len(lines))
    data = ElementTree.SubElement(piece, "PointData")
    for name, array in values.items():
        _add_array(data, name, np.asarray(array, np.float64)[kept])
    ends = np.cumsum([len(line) for line in lines], dtype=np.int64)
    _add_cells(piece, "Lines", np.concatenate([np.empty(0, np.int64), *lines]), ends)
    return _write(root, path)


def _surface_points(x: Array, y: Array, values: Mapping[str, Array], height: str) -> Array:
    """Points (ny * nx, 3) in the order of VTK, x fastest."""
    if np.ndim(x) != 1 or np.ndim(y) != 1 or not len(x) or not len(y):
        raise InputError(
            f"expected coordinates of shape (nx,) and (ny,), got {np.shape(x)} and {np.shape(y)}"
        )
    _check(values, (len(y), len(x)))
    if height not in values:
        raise InputError(
            f"expected one of the arrays {', '.join(values)} as height, got {height!r}"
        )
    z = np.asarray(values[height], np.float64)
    finite = np.isfinite(z)
    z = np.where(finite, z, z[finite].max() if finite.any() else 0.0)
    return np.stack([*np.meshgrid(x, y), z], axis=-1).reshape(-1, 3)


def _check(values: Mapping[str, Array], shape: tuple[int, ...]) -> None:
    for name, array in values.items():
        if np.shape(array) != shape:
            raise InputError(f"expected {name!r} to have shape {shape}, got {np.shape(array)}")
    if NOT_FINITE in values:
        raise InputError(
            f"{NOT_FINITE!r} is the name of the marks of non-finite heights; rename the array"
        )


def _file(kind: str) -> ElementTree.Element:
    return ElementTree.Element(
        "VTKFile", type=kind, version="1.0", byte_order="LittleEndian", header_type="UInt64"
    )


def _poly_data(
    points: Array, cells: str, count: int
) -> tuple[ElementTree.Element, ElementTree.Element]:
    """A file of points and ``count`` cells of one kind, and its piece, to which cells are added."""
    root = _file("PolyData")
    numbers = dict.fromkeys(("Verts", "Lines", "Strips", "Polys"), 0) | {cells: count}
    attributes = {f"NumberOf{kind}": str(number) for kind, number in numbers.items()}
    piece = ElementTree.SubElement(
        ElementTree.SubElement(root, "PolyData"),
        "Piece",
        {"NumberOfPoints": str(len(points)), **attributes},
    )
    _add_array(ElementTree.SubElement(piece, "Points"), "Points", points)
    return root, piece


def _add_point_data(piece: ElementTree.Element, values: Mapping[str, Array], height: str) -> None:
    data = ElementTree.SubElement(piece, "PointData", Scalars=height)
    for name, array in values.items():
        _add_array(data, name, np.asarray(array, np.float64).ravel())
    marks = ~np.isfinite(np.asarray(values[height], np.float64))
    _add_array(data, NOT_FINITE, marks.ravel().astype(np.uint8))


def _add_cells(
    piece: ElementTree.Element, kind: str, connectivity: NDArray[np.int64], ends: NDArray[np.int64]
) -> None:
    cells = ElementTree.SubElement(piece, kind)
    _add_array(cells, "connectivity", connectivity.astype(np.int64))
    _add_array(cells, "offsets", ends.astype(np.int64))


def _add_array(
    parent: ElementTree.Element,
    name: str,
    array: Array | NDArray[np.int64] | NDArray[np.uint8],
) -> None:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    attributes = {"type": VTK_TYPES[little.dtype.str], "Name": name, "format": "binary"}
    if little.ndim == 2:
        attributes["NumberOfComponents"] = str(little.shape[1])
    content = np.array(little.nbytes, "<u8").tobytes() + little.tobytes()
    element = ElementTree.SubElement(parent, "DataArray", attributes)
    element.text = base64.b64encode(content).decode("ascii")


def _write(root: ElementTree.Element, path: Path) -> Path:
    root.insert(0, ElementTree.Comment(MARK))
    with replacing(path) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)
    return path
