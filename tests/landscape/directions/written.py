"""Files of directions as the original tool writes them."""

import h5py
import numpy as np


def write_group(path, name, tensors, mode="a"):
    """One direction as the original tool writes it."""
    with h5py.File(path, mode) as file:
        group = file.create_group(name)
        for number, tensor in enumerate(tensors):
            group.create_dataset(str(number), data=np.asarray(tensor, dtype=np.float32))


def zeros_like(layout):
    return [np.zeros(shape) for shape in layout.shapes]


def written(path, arrays):
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            file[key] = values
    return path
