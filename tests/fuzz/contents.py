"""Changes to what a result file holds, as only someone who seals it again can make them."""

import json
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tests.fuzz.damage import WRONG_VALUES
from tests.hdf5_files import arrays_in

EXTREMES = (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -1.0)


def change_something(file: h5py.File, source: np.random.Generator) -> str:
    """Change one array, or one entry of the settings or the provenance; returns what was done."""
    if source.random() < 0.5:
        return _change_array(file, source)
    attribute = str(source.choice(["settings", "provenance"]))
    tree = json.loads(file.attrs[attribute].decode())
    place, name = tree, attribute
    while isinstance(place, dict) and place:
        key = str(source.choice(list(place)))
        name += f".{key}"
        if isinstance(place[key], dict) and place[key] and source.random() < 0.7:
            place = place[key]
            continue
        place[key] = WRONG_VALUES[int(source.integers(len(WRONG_VALUES)))]
        name += f" = {str(place[key])[:30]!r}"
        break
    del file.attrs[attribute]
    file.attrs[attribute] = np.bytes_(json.dumps(tree).encode())
    return name


def _change_array(file: h5py.File, source: np.random.Generator) -> str:
    names = list(arrays_in(file))
    name = names[int(source.integers(len(names)))]
    before = np.asarray(file[name][()])
    del file[name]
    if source.random() < 0.05:
        return f"{name} removed"
    after = _changed(before, source)
    file[name] = after
    values = str(after.ravel()[:3])
    return f"{name}: {before.dtype}{before.shape} becomes {after.dtype}{after.shape} {values}"


def _changed(array: NDArray[Any], source: np.random.Generator) -> NDArray[Any]:
    is_number = array.dtype.kind in "fi"
    extreme = EXTREMES[int(source.integers(len(EXTREMES)))]
    match int(source.integers(8)):
        case 0:
            return array[:-1] if array.ndim else array.reshape(1)
        case 1:
            return array[None]
        case 2:
            return array.ravel()
        case 3:
            return array.astype("S12") if is_number else np.zeros(array.shape)
        case 4:
            return np.zeros((0,) * array.ndim, array.dtype)
        case 5 if array.dtype.kind == "i":
            return np.full_like(array, source.choice([2**62, -1, 0]))
        case 6 if array.dtype.kind == "f":
            return np.full_like(array, extreme)
        case 7 if array.dtype.kind == "f" and array.size:
            changed = array.copy()
            changed.flat[int(source.integers(array.size))] = extreme
            return changed
    return array
