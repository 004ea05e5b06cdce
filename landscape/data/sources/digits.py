"""The handwritten digits of scikit-learn: 1,797 grey images of 8x8 pixels.

They are the test set of the UCI data of Alpaydin and Kaynak (1998). One image in five of every
class is held out.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.data.samples import Normalization, TensorSamples

# The mean and standard deviation of all pixels, scaled to [0, 1].
MEAN, STD = (0.3053,), (0.3760,)


def digits(split: str, normalization: Normalization | None = None) -> TensorSamples:
    """The split ``train`` (1,442 images) or ``test`` (355), which are the same every time."""
    pixels, targets = _load()
    held_out = np.zeros(len(targets), dtype=bool)
    for digit in range(10):
        held_out[np.flatnonzero(targets == digit)[4::5]] = True
    chosen = held_out if split == "test" else ~held_out
    images = torch.from_numpy(pixels[chosen] / 16.0).float().unsqueeze(1)
    return TensorSamples(
        inputs=images,
        targets=torch.from_numpy(targets[chosen]),
        classes=tuple(str(digit) for digit in range(10)),
        normalization=normalization or Normalization(MEAN, STD),
    )


@cache  # they are parsed from text; both splits and every checkpoint take them from here
def _load() -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The images, from 0 to 16, and the digits that they show; not to be changed."""
    from sklearn.datasets import load_digits  # the import takes a second

    bundle = load_digits()
    return bundle.images, bundle.target.astype(np.int64)
