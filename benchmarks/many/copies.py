"""Copies of results under many labels, each changed a little."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.results.files import make_directory
from landscape.results.result import Result

# Arrays that a factor would make wrong: places on an axis, and shares of a whole.
AS_THEY_ARE = frozenset({"t", "density_weights", "radii"})
SHARES = ("fraction", "%")
SCALES = ("nat", "nats", "squared logit", "l2 norm", "squared l2 norm", "squared spectral norm")
# The standard deviation of the logarithm of what scales are multiplied by.
SPREAD = 0.3


def write_copies(
    sources: Sequence[Sequence[Result]], labels: Sequence[str], folder: Path
) -> list[Path]:
    """Write the sources in turn under each of the labels, changed a little; returns the files."""
    files = []
    for number, label in enumerate(labels):
        for result in sources[number % len(sources)]:
            path = make_directory(folder / label) / f"{result.analysis}.h5"
            changed(result, label, np.random.default_rng(number)).save(path)
            files.append(path)
    return files


def changed(result: Result, label: str, generator: np.random.Generator) -> Result:
    """The result under another label, with its numbers multiplied by random factors near 1.

    Quantities of one unit have one factor, as if it were another unit. Answers that are right or
    wrong are wrong more often, and shares are smaller.
    """
    scale = float(np.exp(SPREAD * generator.normal()))
    share = float(np.exp(-SPREAD * abs(generator.normal())))
    arrays = {
        name: _changed(name, np.asarray(array.values), array.unit, (scale, share), generator)
        for name, array in result.arrays().items()
    }
    provenance = replace(
        result.provenance,
        weights_sha256=f"{label}{result.provenance.weights_sha256}",
        origin={**result.provenance.origin, "label": label},
    )
    return type(result).from_arrays(arrays, label, result.settings, provenance)


def _changed(
    name: str,
    values: NDArray[Any],
    unit: str,
    factors: tuple[float, float],
    generator: np.random.Generator,
) -> NDArray[Any]:
    scale, share = factors
    is_fixed = name.rpartition("/")[2] in AS_THEY_ARE
    if values.dtype == np.bool_ and unit == "":
        return values & (generator.random(values.shape) < share)
    if not np.issubdtype(values.dtype, np.floating) or is_fixed:
        return values
    return values * (share if unit in SHARES else scale if unit in SCALES else 1.0)
