"""Surface files of the original loss-landscape tool, as results that can be drawn.

Its arrays are allocated as (nx, ny) but filled in the order of ``meshgrid``, so that the flat index
is iy * nx + ix: right for square grids, scrambled for others. Points it had not come to are -1.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from analyses import line, surface
from analyses.grid import Axis
from analyses.slice_result import Slice
from landscape.errors import InputError
from landscape.provenance import Provenance

UNFINISHED = {"min_eig": 1.0}  # every other array says -1


def is_original_file(path: Path) -> bool:
    """Whether the file holds a surface or line that this project has not written."""
    try:
        with h5py.File(path, "r") as file:
            return "xcoordinates" in file and "analysis" not in file.attrs
    except OSError:
        return False


def read_original(path: Path, label: str) -> Slice:
    """A surface where the file has y coordinates, else a line.

    What the original does not record (sample, weights, arithmetic) is empty. Raises InputError if
    there is no loss in it.
    """
    try:
        with h5py.File(path, "r") as file:
            x = np.asarray(file["xcoordinates"], dtype=np.float64)
            y = np.asarray(file["ycoordinates"], np.float64) if "ycoordinates" in file else None
            shape = (len(x),) if y is None else (len(y), len(x))
            values = {
                name: _in_order(name, np.asarray(item, dtype=np.float64), shape)
                for name, item in file.items()
                if isinstance(item, h5py.Dataset) and item.size == np.prod(shape) and item.ndim > 0
                and name not in ("xcoordinates", "ycoordinates")
            }  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} can't be read as a surface file ({error})") from error
    splits = [name.removesuffix("_loss") for name in values if name.endswith("_loss")]
    if not splits:
        raise InputError(f"{path} has coordinates but no train_loss or test_loss")
    for split in splits:
        values.setdefault(f"{split}_acc", np.full(shape, np.nan))
    kind: type[Slice] = line.Line if y is None else surface.Surface
    settings: Any = (
        line.Settings(x=_axis(x), directions=str(path))
        if y is None
        else surface.Settings(x=_axis(x), y=_axis(y), directions=str(path))
    )
    return kind(
        label=label,
        settings=settings,
        provenance=_unknown(path),
        split="train" if "train" in splits else splits[0],
        x=x,
        y=y,
        values=values,
        own=_at_origin(values, x, y),
        directions={},
        direction_cosine=np.nan,
        tensors={},
        form={},
        measured=np.isfinite(next(iter(values.values()))),
    )


def _in_order(name: str, stored: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Values by (y, x): the flat order is right, whatever the shape says."""
    values = stored.ravel().reshape(shape)
    return np.where(values == UNFINISHED.get(name, -1.0), np.nan, values)


def _at_origin(
    values: dict[str, NDArray[Any]], x: NDArray[Any], y: NDArray[Any] | None
) -> dict[str, float]:
    """The network's own numbers, where the origin is a point of the grid."""
    column = np.flatnonzero(np.abs(x) < 1e-9)
    row = np.zeros(1, int) if y is None else np.flatnonzero(np.abs(y) < 1e-9)
    if not len(column) or not len(row):
        return {}
    return {name: float(np.atleast_2d(v)[row[0], column[0]]) for name, v in values.items()}


def _axis(coordinates: NDArray[Any]) -> Axis:
    return Axis(float(coordinates[0]), float(coordinates[-1]), len(coordinates))


def _unknown(path: Path) -> Provenance:
    return Provenance(
        num_parameters=0,
        num_samples=0,
        sample_sha256="",
        weights_sha256="",
        precision="unknown",
        device="unknown",
        seconds=0.0,
        origin={"label": path.stem, "loss": "cross_entropy", "written_by": "another tool"},
        versions={},
        created="",
    )
