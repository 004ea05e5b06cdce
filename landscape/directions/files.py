"""Directions in the original tool's HDF5 files: xdirection/0, xdirection/1, ..., one per tensor.

Directions of weights list the tensors of ``model.parameters()``, directions of states those of
``model.state_dict()``. These groups have no other entries, since the tool's reader takes the number
of entries for the number of tensors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.directions.direction import Direction
from landscape.errors import InputError
from landscape.objective.eval_copy import statistics_of
from landscape.parameters.layout import ParameterLayout
from landscape.results.hdf5.read import read_arrays, read_shapes

Arrays = dict[str, NDArray[Any]]

EIGENVECTORS = "eigenvectors"
# Where a surface file of the original tool names the file of its directions.
DIRECTION_FILE = "dir_file"


@dataclass(frozen=True)
class _Entry:
    """A tensor of a file, and the view into theta or the statistics that it belongs to."""

    name: str
    shape: torch.Size
    place: Tensor | None
    is_parameter: bool  # a value here would change the function


def direction_arrays(direction: Direction, name: str, module: nn.Module) -> Arrays:
    """The HDF5 datasets of ``direction`` in the group ``name``, by path.

    It is a direction of states if it moves statistics, else of weights.
    """
    vector = direction.vector.cpu()
    if direction.statistics is None:
        tensors: Sequence[Tensor] = direction.layout.views(vector)
    else:
        statistics = direction.statistics.cpu()
        entries = _state_entries(direction.layout, module, vector, statistics)
        tensors = [torch.zeros(e.shape) if e.place is None else e.place for e in entries]
    return {f"{name}/{number}": tensor.numpy() for number, tensor in enumerate(tensors)}


def read_directions(path: Path, layout: ParameterLayout, module: nn.Module) -> list[Direction]:
    """The x direction, and the y direction if there is one, of a file.

    Args:
        path: a file of directions or a surface, of this project or the original tool, or a Hessian
            spectrum with eigenvectors, of which the first two are read.
        layout: of the model's parameters.
        module: the model.

    Raises:
        InputError: the file can't be read, or its tensors don't have the shapes of the model's.
    """
    try:
        shapes = read_shapes(path)
        arrays = read_arrays(path, _is_of_directions, rows={EIGENVECTORS: 2})
    except FileNotFoundError as error:
        raise InputError(f"no such direction file: {path}") from error
    groups = [name for name in ("xdirection", "ydirection") if f"{name}/0" in arrays]
    if "xdirection" in groups:
        return [_read(arrays, name, layout, module, path) for name in groups]
    if EIGENVECTORS in arrays:
        return _eigenvectors(arrays[EIGENVECTORS], layout, path)
    raise InputError(f"{path} has no xdirection; is it a direction file?{_where(path, shapes)}")


def _is_of_directions(name: str) -> bool:
    return name == EIGENVECTORS or name.startswith(("xdirection/", "ydirection/"))


def _where(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Where a surface of the original tool has its directions, which a user has to name."""
    if DIRECTION_FILE not in shapes:
        return ""
    arrays = read_arrays(path, lambda name: name == DIRECTION_FILE)
    named = Path(str(arrays[DIRECTION_FILE]))
    beside = path.parent / named.name
    source = beside if beside.is_file() else named
    return f" It names {named} for them: give --directions {source}"


def _eigenvectors(rows: NDArray[Any], layout: ParameterLayout, path: Path) -> list[Direction]:
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise InputError(f"{path} has eigenvectors that are not rows of numbers")
    if rows.shape[1] != layout.size:
        raise InputError(
            f"{path} has eigenvectors of {rows.shape[1]:,} parameters, the model has "
            f"{layout.size:,}; they have to be of the same architecture"
        )
    return [Direction(torch.from_numpy(row), layout) for row in rows]


def _read(
    arrays: Arrays, group: str, layout: ParameterLayout, module: nn.Module, path: Path
) -> Direction:
    names = {name for name in arrays if name.startswith(f"{group}/")}
    numbered = [f"{group}/{number}" for number in range(len(names))]
    if names != set(numbered) or any(arrays[name].dtype.kind not in "fiu" for name in names):
        raise InputError(f"{path} (/{group}) does not hold arrays of numbers named 0, 1, 2, ...")
    tensors = [torch.from_numpy(arrays[name].astype(_precision(arrays[name]))) for name in numbered]
    shapes = [tensor.shape for tensor in tensors]
    double = any(tensor.dtype == torch.float64 for tensor in tensors)
    dtype = torch.float64 if double else torch.float32
    vector = torch.zeros(layout.size, dtype=dtype)
    count = sum(buffer.numel() for buffer in statistics_of(module).values())
    statistics = torch.zeros(count, dtype=dtype)
    kinds = {
        "weights": _parameter_entries(layout, module, vector, all_parameters=False),
        "weights, frozen ones too": _parameter_entries(layout, module, vector, all_parameters=True),
        "states": _state_entries(layout, module, vector, statistics),
    }
    for kind, entries in kinds.items():
        if [entry.shape for entry in entries] != shapes:
            continue
        for entry, tensor in zip(entries, tensors, strict=True):
            if entry.place is not None:
                entry.place.copy_(tensor)
            elif entry.is_parameter and tensor.any():
                raise InputError(
                    f"{path} (/{group}) moves {entry.name}, which is frozen in this model"
                )
        return Direction(vector, layout, statistics if kind == "states" else None)
    try:
        layout.flatten(tensors)  # raises an error that says what does not fit
    except InputError as error:
        raise InputError(
            f"{path} (/{group}) does not fit the model: {error}; "
            "the directions have to come from the same architecture"
        ) from error
    raise AssertionError("the tensors fit, but no form of directions was recognised")


def _precision(array: NDArray[Any]) -> type[np.floating[Any]]:
    """Double for what single precision would round, single for the rest."""
    return np.float64 if array.dtype.kind != "f" or array.dtype.itemsize == 8 else np.float32


def _parameter_entries(
    layout: ParameterLayout, module: nn.Module, vector: Tensor, *, all_parameters: bool
) -> list[_Entry]:
    views = dict(zip(layout.names, layout.views(vector), strict=True))
    named = dict(module.named_parameters()) if all_parameters else views
    return [_Entry(name, p.shape, views.get(name), True) for name, p in named.items()]


def _state_entries(
    layout: ParameterLayout, module: nn.Module, vector: Tensor, statistics: Tensor
) -> list[_Entry]:
    """The entries of ``module.state_dict()``; a tied tensor has one for each of its names."""
    views = dict(zip(layout.names, layout.views(vector), strict=True))
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    buffers = statistics_of(module)
    pieces = statistics.split([buffer.numel() for buffer in buffers.values()])
    places = {
        name: piece.view(buffer.shape)
        for (name, buffer), piece in zip(buffers.items(), pieces, strict=True)
    }
    return [
        _Entry(
            name,
            tensor.shape,
            views.get(names.get(id(tensor), ""), places.get(name)),
            isinstance(tensor, nn.Parameter),
        )
        for name, tensor in module.state_dict(keep_vars=True).items()
    ]
