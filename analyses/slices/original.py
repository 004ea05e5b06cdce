"""Lines and surfaces of the original loss-landscape tool, as results that can be drawn."""

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analyses.formats.original_files import read_original
from analyses.slices.grid import Axis
from analyses.slices.result import Slice
from landscape.results.provenance import Provenance

SliceResult = TypeVar("SliceResult", bound=Slice)


def read_original_slice(kind: type[SliceResult], path: Path, label: str) -> SliceResult:
    """Read a file of the original tool.

    Args:
        kind: the class of the result.
        path: the file.
        label: what the result is called.

    Returns:
        A result of class ``kind``, in which what the original tool does not record (sample,
        weights, arithmetic) is empty.

    Raises:
        InputError: if the file is damaged or holds no loss.
    """
    original = read_original(path)
    axes = {
        name: _axis(coordinates)
        for name, coordinates in (("x", original.x), ("y", original.y))
        if coordinates is not None
    }
    settings: Any = kind.settings_type(directions=str(path), **axes)
    return kind(
        label=label,
        settings=settings,
        provenance=_unrecorded(path),
        split="train" if "train" in original.splits else original.splits[0],
        x=original.x,
        y=original.y,
        values=original.values,
        at_origin=original.at_origin,
        directions={},
        direction_cosine=np.nan,
        tensors={},
        mode={},
        measured=np.isfinite(next(iter(original.values.values()))),
    )


def _axis(coordinates: NDArray[np.float64]) -> Axis:
    return Axis(float(coordinates[0]), float(coordinates[-1]), len(coordinates))


def _unrecorded(path: Path) -> Provenance:
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
