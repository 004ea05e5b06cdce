"""Directions in the original tool's HDF5 files: xdirection/0, xdirection/1, ..., one per tensor.

Directions of weights list the tensors of ``model.parameters()``, directions of states those of
``model.state_dict()``. These groups have no other entries, since the tool's reader takes the number
of entries for the number of tensors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.directions.direction import Direction
from landscape.errors import InputError
from landscape.objective.eval_copy import statistics_of
from landscape.parameters.layout import ParameterLayout
from landscape.results.hdf5 import open_hdf5

Arrays = dict[str, NDArray[Any]]


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


def read_directions(
    path: Path, layout: ParameterLayout, module: nn.Module, *, follow: bool = True
) -> list[Direction]:
    """The x direction, and the y direction if there is one, of a file.

    Args:
        path: a file of directions or a surface, of this project or the original tool, or a Hessian
            spectrum with eigenvectors, of which the first two are read.
        layout: of the model's parameters.
        module: the model.
        follow: where a surface of the original tool names the file of its directions, read that.

    Raises:
        InputError: the file can't be read, or its tensors don't have the shapes of the model's.
    """
    try:
        with open_hdf5(path) as file:
            names = [name for name in ("xdirection", "ydirection") if name in file]
            if "xdirection" in names:
                return [_read(file[name], layout, module, path) for name in names]
            if "eigenvectors" in file:
                return _eigenvectors(file["eigenvectors"][:2], layout, path)
            if "dir_file" not in file or not follow:
                raise InputError(f"{path} has no xdirection; is it a direction file?")
            named = Path(file["dir_file"].asstr()[()])
    except FileNotFoundError as error:
        raise InputError(f"no such direction file: {path}") from error
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} is not an HDF5 file of directions, or damaged ({error})"
        ) from error
    # The file may have moved together with its directions.
    beside = path.parent / named.name
    source = named if named.is_file() else beside
    if not source.is_file() or source.resolve() == path.resolve():
        raise InputError(f"{path} has its directions in {named}, which is not there")
    return read_directions(source, layout, module, follow=False)


def _eigenvectors(rows: NDArray[Any], layout: ParameterLayout, path: Path) -> list[Direction]:
    if rows.shape[1] != layout.size:
        raise InputError(
            f"{path} has eigenvectors of {rows.shape[1]:,} parameters, the model has "
            f"{layout.size:,}; they have to be of the same architecture"
        )
    return [Direction(torch.from_numpy(row), layout) for row in rows]


def _read(group: h5py.Group, layout: ParameterLayout, module: nn.Module, path: Path) -> Direction:
    tensors = [torch.from_numpy(np.asarray(group[str(k)])) for k in range(len(group))]
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
                    f"{path} ({group.name}) moves {entry.name}, which is frozen in this model"
                )
        return Direction(vector, layout, statistics if kind == "states" else None)
    try:
        layout.flatten(tensors)  # raises an error that says what does not fit
    except InputError as error:
        raise InputError(
            f"{path} ({group.name}) does not fit the model: {error}; "
            "the directions have to come from the same architecture"
        ) from error
    raise AssertionError("the tensors fit, but no form of directions was recognised")


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
