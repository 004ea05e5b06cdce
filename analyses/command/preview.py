"""A picture of an unfinished line or surface beside the finished ones."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analyses.drawing.pictures import Picture, save_pictures
from analyses.drawing.style import styled
from analyses.slices.result import Slice
from landscape.errors import InUseError
from landscape.results.lock import locked
from landscape.results.result import Result

# The name of the lock of all that is drawn in a folder.
PAGE = "page"

Draw = Callable[[Sequence[Any]], dict[str, Figure]]


class Preview:
    """Draws an unfinished slice beside the finished ones."""

    def __init__(self, draw: Draw, folder: Path, finished: Sequence[Result]) -> None:
        self._draw = draw
        self._folder = folder
        self._finished = finished

    def __call__(self, unfinished: Result) -> None:
        """Draw it, if there is enough to draw."""
        if not isinstance(unfinished, Slice) or unfinished.measured.sum() < 4:
            return
        # Another process that draws there now is not waited for.
        with suppress(InUseError), locked(self._folder, PAGE), styled():
            figures = self._draw([*self._finished, filled(unfinished)])
            pictures = {name: Picture(figure) for name, figure in figures.items()}
            save_pictures(pictures, self._folder, ["png"])


def filled(unfinished: Slice) -> Slice:
    """The same slice; a point that is not measured yet has the values of the nearest that is."""
    places = np.argwhere(np.atleast_2d(unfinished.measured)).astype(float)
    shape = np.atleast_2d(unfinished.measured).shape
    everywhere = np.argwhere(np.ones(shape, dtype=bool)).astype(float)
    from scipy.spatial import KDTree  # only here, in a few commands

    _, nearest = KDTree(places).query(everywhere)
    rows, columns = places.astype(int)[nearest].T
    done = int(unfinished.measured.sum())
    return replace(
        unfinished,
        label=f"{unfinished.label} ({done:,} of {unfinished.measured.size:,} points)",
        values={
            name: np.atleast_2d(values)[rows, columns].reshape(values.shape)
            for name, values in unfinished.values.items()
        },
    )
